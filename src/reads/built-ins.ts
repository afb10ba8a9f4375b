// What Postgres' own functions do beyond what its catalogs say of them, by name.

const words = (text: string): readonly string[] => text.trim().split(/\s+/)

/** Declared volatile, since each call answers anew, yet they leave nothing behind: reads, but not to be compared. */
export const HARMLESS: readonly string[] = words(`
  random random_normal array_sample array_shuffle clock_timestamp timeofday current_query
  gen_random_uuid uuidv4 uuidv7 pg_sleep pg_sleep_for pg_sleep_until
  pg_relation_size pg_table_size pg_indexes_size pg_total_relation_size pg_database_size pg_tablespace_size
  pg_is_in_recovery pg_current_wal_lsn pg_current_wal_insert_lsn pg_current_wal_flush_lsn
  pg_partition_tree pg_partition_ancestors pg_blocking_pids system bernoulli`)

/**
 * Declared stable, yet no reads: they assign a transaction id, run a text, a table or a view that they are given by name,
 * or call the checks of a type that they are given by name.
 */
export const DENIED: readonly string[] = words(`
  txid_current pg_current_xact_id
  table_to_xml table_to_xmlschema table_to_xml_and_xmlschema
  schema_to_xml schema_to_xmlschema schema_to_xml_and_xmlschema
  database_to_xml database_to_xmlschema database_to_xml_and_xmlschema
  query_to_xml query_to_xmlschema query_to_xml_and_xmlschema cursor_to_xml cursor_to_xmlschema
  pg_input_is_valid pg_input_error_info
  domain_in domain_recv record_in record_recv array_in array_recv range_in range_recv multirange_in multirange_recv`)

/** Functions of extensions, by their names in C: declared stable, and they run the text that they are given. */
export const RUNS_TEXTS: readonly string[] = words(`
  crosstab crosstab_hash connectby_text connectby_text_serial xpath_table`)

/** They make values of a row's type, whose checks are as safe as all types are. */
export const POPULATING: readonly string[] = words(`
  json_populate_record json_populate_recordset jsonb_populate_record jsonb_populate_recordset
  jsonb_populate_record_valid`)

/** Stable within a statement, and another answer for the next one or on another server. */
export const MOVING: readonly string[] = words(`
  now transaction_timestamp statement_timestamp version
  current_setting current_database current_schema current_schemas current_user session_user system_user
  getpgusername pg_backend_pid pg_postmaster_start_time pg_conf_load_time pg_my_temp_schema
  inet_client_addr inet_client_port inet_server_addr inet_server_port
  txid_current txid_current_if_assigned txid_current_snapshot txid_status
  pg_current_xact_id pg_current_xact_id_if_assigned pg_current_snapshot mxid_age
  pg_relation_filenode pg_relation_filepath pg_filenode_relation pg_column_size pg_column_compression
  pg_listening_channels pg_prepared_statement pg_cursor pg_timezone_names pg_timezone_abbrevs
  pg_show_all_settings pg_get_replication_slots pg_available_extensions pg_available_extension_versions
  pg_get_viewdef pg_get_functiondef pg_get_indexdef
  pg_get_constraintdef pg_get_expr pg_options_to_table pg_sequence_parameters`)

/** Whole families that answer about the server. */
export const MOVING_PATTERN = /^(pg_(stat_get|ls|control|show|get)_|has_\w+_privilege$)/

/** Their answer depends on the order in which the rows come, which is the server's choice where they have none of their own. */
export const ORDER_BOUND: ReadonlySet<string> = new Set(
  words(`
  array_agg string_agg xmlagg
  json_agg json_agg_strict jsonb_agg jsonb_agg_strict
  json_object_agg json_object_agg_strict json_object_agg_unique json_object_agg_unique_strict
  jsonb_object_agg jsonb_object_agg_strict jsonb_object_agg_unique jsonb_object_agg_unique_strict
  row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value any_value`),
)

const moving: ReadonlySet<string> = new Set([...HARMLESS, ...MOVING])

/** Whether a function of this name answers differently without any write, by its name alone. */
export const isMoving = (name: string): boolean => moving.has(name) || MOVING_PATTERN.test(name)

/** Columns of every table that tell of its place on this very server. */
export const SYSTEM_COLUMNS: ReadonlySet<string> = new Set(words('ctid xmin xmax cmin cmax tableoid'))

/** Types whose values are numbers of this very server. */
export const SYSTEM_TYPES: ReadonlySet<string> = new Set(
  words(`oid tid xid xid8 cid pg_lsn pg_snapshot txid_snapshot regclass regproc regprocedure regtype regoper regoperator
  regrole regnamespace regconfig regdictionary regcollation`),
)

/** Words that dates are made of at the moment they are read: `'now'`, `'12:00 today'`, `'{now}'`. */
export const MOVING_CONSTANT = /^(?:[^a-z]|[ap]m\b)*\b(?:now|today|tomorrow|yesterday)\b/i
