// What preflight knows of one side, read in one round trip.
import type { Run } from '../../control/control-connection.js'
import { factsSql } from './facts-sql.js'
import type { ServiceName } from './managed.js'

export interface ColumnFacts {
  readonly name: string
  /** With length and precision, as format_type prints it. */
  readonly type: string
  /** Where the type is the application's own: its schema, and the rest of `type`. */
  readonly typeSchema: string | null
  readonly typeName: string
  readonly notNull: boolean
  /** `s` stored, `v` virtual, empty for an ordinary column. */
  readonly generated: string
  /** `a` always, `d` by default, empty for none. */
  readonly identity: string
  readonly hasDefault: boolean
  /** False where its collation takes texts for equal that differ in their bytes. */
  readonly exact: boolean
}

export interface RuleFacts {
  readonly name: string
  /** Of UPDATE; else of INSERT or DELETE. */
  readonly update: boolean
  /** As `tgenabled` of a trigger: `O`, `D`, `R` or `A`. */
  readonly enabled: string
}

export interface TypeFacts {
  readonly schema: string
  readonly name: string
  /** `e` enum, `d` domain, `c` composite. */
  readonly kind: string
  /** Labels; base type, NOT NULL and constraints; or attributes with their types. */
  readonly parts: readonly (string | null)[]
}

export interface TableFacts {
  readonly schema: string
  readonly name: string
  readonly kind: 'r' | 'p'
  readonly owner: string
  /** The role of the control connection owns it or is a member of its owner. */
  readonly owned: boolean
  /** Of SELECT, INSERT, UPDATE and DELETE. */
  readonly lackingRights: readonly string[]
  /** It hides rows from this role too. */
  readonly rowSecurity: boolean
  /** `d` default, `n` nothing, `f` full, `i` an index. */
  readonly replicaIdentity: string
  readonly hasPrimaryKey: boolean
  readonly parents: readonly string[]
  readonly partitionKey: string | null
  readonly partitionBound: string | null
  readonly columns: readonly ColumnFacts[]
  /** Definitions of unique indexes, from their columns on. */
  readonly unique: readonly string[]
  /** Constraints that exclude. */
  readonly exclusions: readonly string[]
  /** Of both those that are checked late, and for a replica not at all. */
  readonly deferrable: readonly string[]
  readonly checks: readonly string[]
  /** In either direction. */
  readonly foreignKeys: readonly string[]
  /** Triggers that fire for replicated rows too. */
  readonly alwaysTriggers: readonly string[]
  /** Those of the application that are not disabled. */
  readonly userTriggers: readonly string[]
  /** Other than those of views. */
  readonly rules: readonly RuleFacts[]
  /** Triggers of the application as they are written, without the table's name, and how they are enabled. */
  readonly triggers: readonly NamedText[]
  /** Definitions of valid indexes that are not unique, from their columns on. */
  readonly indexes: readonly string[]
  readonly references: readonly ReferenceFacts[]
  readonly policies: readonly NamedText[]
  /** Row security is switched on, whoever is looking. */
  readonly rowSecurityOn: boolean
  /** Of SELECT, INSERT, UPDATE and DELETE, what the role of the application's pool has. */
  readonly poolRights: readonly string[]
}

export interface NamedText {
  readonly name: string
  readonly text: string
}

/** A foreign key of a table, and the table that it points to. */
export interface ReferenceFacts extends NamedText {
  readonly targetSchema: string
  readonly target: string
}

export interface SlotFacts {
  readonly name: string
  readonly plugin: string | null
  readonly database: string | null
  /** Who is reading it right now. */
  readonly reader: string | null
  /** Of the log, what its reader has not confirmed. */
  readonly lagBytes: number | null
}

export interface TransactionFacts {
  readonly pid: number
  /** The application's name and its role. */
  readonly who: string
  /** Null where it is the one that is looked at. */
  readonly elsewhere: string | null
  readonly seconds: number
  readonly idle: boolean
}

/** What the role of the application's pool may do, apart from its rights on tables; null without such a role. */
export interface PoolFacts {
  readonly role: string
  readonly superuser: boolean
  /** -1 for none. */
  readonly connectionLimit: number
  readonly lockedSchemas: readonly string[]
  /** Quoted; without USAGE. */
  readonly lockedSequences: readonly string[]
}

/** What was granted by name; the role is '' for PUBLIC. */
export interface GrantFacts {
  readonly role: string
  readonly schema: string
  readonly name: string
  readonly rights: readonly string[]
}

/** By ALTER ROLE or ALTER DATABASE; the role is '' for a database's own. */
export interface StartSettingFacts {
  readonly role: string
  readonly name: string
  readonly value: string
}

export interface SideFacts {
  readonly system: string
  readonly version: number
  /** The managed service that it is one of, as far as it can be seen. */
  readonly service: ServiceName | null
  readonly standby: boolean
  readonly database: {
    readonly oid: string
    readonly name: string
    readonly encoding: string
    readonly collate: string
    readonly ctype: string
    readonly provider: string
    readonly locale: string
    readonly collationVersion: string
  }
  /** As a new session of this role finds them, before any SET. */
  readonly settings: Readonly<Record<string, string>>
  readonly role: {
    readonly name: string
    /** As whom it has connected. */
    readonly session: string
    readonly superuser: boolean
    readonly bypassesRowSecurity: boolean
    readonly replication: boolean
    readonly createInDatabase: boolean
    readonly readAllStats: boolean
    readonly createSubscription: boolean
    readonly originFunctions: boolean
  }
  readonly controlSchema: 'absent' | 'ours' | 'foreign' | 'out of reach'
  readonly slots: readonly SlotFacts[]
  readonly walSenders: number
  readonly enabledSubscriptions: number
  readonly origins: number
  readonly tables: readonly TableFacts[]
  readonly unloggedTables: readonly string[]
  readonly foreignTables: readonly string[]
  readonly largeObjects: boolean
  readonly eventTriggers: readonly string[]
  /** Functions whose source has `exception when others`. */
  readonly swallowers: readonly string[]
  /** Of tables in scope and of their columns' types, out of this role's reach. */
  readonly lockedSchemas: readonly string[]
  /** Roles whose sessions begin as replicas; '' where all do. */
  readonly replicaRoles: readonly string[]
  /** Functions that switch triggers off. */
  readonly silencers: readonly string[]
  readonly extensions: readonly { readonly name: string; readonly version: string }[]
  readonly types: readonly TypeFacts[]
  readonly preparedTransactions: readonly string[]
  readonly listeners: readonly string[]
  /** Publications with tables in scope. */
  readonly publications: readonly {
    readonly name: string
    readonly allTables: boolean
    readonly tables: readonly string[]
  }[]
  /** Subscriptions that write into tables in scope. */
  readonly subscriptions: readonly { readonly name: string; readonly tables: readonly string[] }[]
  /** Sequences that this role may not read, or not set. */
  readonly lockedSequences: readonly string[]
  /** The oldest ones that are open, a few. */
  readonly transactions: readonly TransactionFacts[]
  readonly connections: {
    /** Without those that are kept for superusers and privileged roles. */
    readonly limit: number
    readonly used: number
    /** Those of the application in this database. */
    readonly application: number
  }
  readonly standbys: readonly string[]
  /** Tables of schedulers that run jobs inside of the server. */
  readonly jobTables: readonly { readonly name: string; readonly readable: boolean }[]
  readonly materializedViews: readonly { readonly name: string; readonly populated: boolean }[]
  readonly views: readonly string[]
  /** By name and arguments, with a digest of what they do. */
  readonly routines: readonly NamedText[]
  readonly foreignServers: readonly {
    readonly name: string
    readonly wrapper: string
    readonly digest: string
  }[]
  /** Those in use whose order was computed by another version of the library. */
  readonly staleCollations: readonly string[]
  readonly pool: PoolFacts | null
  readonly grants: readonly GrantFacts[]
  readonly startSettings: readonly StartSettingFacts[]
}

export async function readFacts(
  run: Run,
  tables: readonly string[] | undefined,
  poolRole?: string,
): Promise<SideFacts> {
  const [row] = await run<{ facts: SideFacts }>(factsSql(tables, poolRole))
  if (!row) throw new Error('a query of scalars gave no row')
  return row.facts
}

export const nameOf = (table: { readonly schema: string; readonly name: string }): string =>
  `${table.schema}.${table.name}`
