// Closes the side being left: one statement on the server, which waits for its writers, shuts the tables and marks the end.
import {
  changeChannel,
  fenceTrigger,
  quoteIdent,
  quoteLiteral,
  sentinelTable,
  streamName,
} from '../control/names.js'
import { captureCheckSql } from '../dual-write/capture-state.js'
import { tablesOn } from '../mirror/mapping.js'
import { scopeSql } from '../mirror/scope.js'
import { assertHeld } from './attempt.js'
import type { Attempt } from './attempt.js'
import { describeTransaction, TRANSACTION_COLUMNS } from './drain.js'
import type { OpenTransaction } from './drain.js'
import { tableName } from './fence-triggers.js'
import { UNIT, isLockFailure, isMissingStatement, isServerError, unitError } from '../control/unit.js'

interface FencePlan extends Pick<
  Attempt,
  'm' | 'from' | 'target' | 'epoch' | 'scope' | 'locks' | 'captured'
> {
  /** By the server's clock, in milliseconds since 1970: locks that are granted later are given back. */
  readonly serverDeadline: number
}

/** Closes the fence. Afterwards `a.fence` says what is known: `closed`, `none`, or `sent` where no answer came. */
export async function closeFence(a: Attempt): Promise<void> {
  const hold = assertHeld(a, 'fence')
  const now = performance.now()
  const fenceEnds = now + a.m.timings.fenceTimeoutMillis
  const serverEnds = hold.serverEnds ?? 0
  const unit = fenceUnit({
    ...a,
    serverDeadline: serverEnds - Math.max(0, hold.ends - fenceEnds),
  })
  a.fence = 'sent'
  try {
    await a.left.run(unit).catch(async (error: unknown) => {
      if (!isMissingStatement(error)) throw error
      // The connection was lost since the preparation, and opened again.
      await prepareFence(a)
      assertHeld(a, 'fence')
      await a.left.run(unit)
    })
    a.fence = 'closed'
    a.fencedAt = performance.now()
  } catch (error) {
    // Only a clear no of the server is a no; after anything else the fence may stand, or may still come.
    if (isServerError(error)) a.fence = 'none'
    const holders = isLockFailure(error) ? await namedHolders(a) : ''
    throw unitError(error, `the fence of the ${a.from} database${holders}`, 'ERR_FENCE')
  }
}

/** Who holds a lock on a table in scope that a fence waits for, as far as they are still there. */
async function namedHolders(a: Attempt): Promise<string> {
  const found = await a.rescue[a.from]
    .run<OpenTransaction & Record<string, unknown>>(LOCK_HOLDERS, [a.scope.map(({ oid }) => oid)])
    .catch(() => [])
  return found.length === 0 ? '' : ` (in its way: ${found.map(describeTransaction).join('; ')})`
}

const LOCK_HOLDERS = `
  select ${TRANSACTION_COLUMNS}
    from pg_stat_activity a
   where a.pid <> pg_backend_pid() and a.pid in (select l.pid from pg_locks l
     where l.granted and l.locktype = 'relation' and l.relation = any ($1::oid[])
       and l.database = (select oid from pg_database where datname = current_database())
       and l.mode not in ('AccessShareLock', 'RowShareLock'))
   order by a.xact_start limit 3`

/**
 * What {@link closeFence} runs, on the same connection: prepared and planned, and its catalogs read. A fresh backend spends
 * most of its time on that, and would do so in the pause.
 */
export async function prepareFence(a: Attempt): Promise<void> {
  const { m, from, scope } = a
  await a.left.run(`prepare ${CHECKS} as ${checksSql(a)}`)
  if (scope.length > 0)
    await a.left.run(
      `explain select 1 from ${scope.map((table, index) => `only ${tableName(table)} t${index}`).join(', ')}`,
    )
  // The language itself is loaded by the first block of a session.
  await a.left.run(
    `do ${quoteLiteral(`
declare
  fault text;
begin
  perform set_config('lock_timeout', current_setting('lock_timeout'), true);
  update cutover.side set epoch = -1, status = 'fenced' where name = ${quoteLiteral(m.name)} and epoch = -1;
  execute 'execute ${CHECKS}' into fault;
  ${m.mirror === 'replication' ? `update cutover.${quoteIdent(sentinelTable(m.name, from))} set epoch = -1 where epoch = -1;` : ''}
end`)}`,
  )
}

const CHECKS = 'cutover_fence_checks'

/**
 * What has to be so once the locks are there: null where it is, else the SQLSTATE and the reason. Its plan is made before
 * the pause and kept, without parameters so that it is always the same one; a change of the catalogs has it made again.
 */
function checksSql({ m, from, epoch, scope, captured }: Omit<FencePlan, 'serverDeadline'>): string {
  const oids = scope.map(({ oid }) => oid).toSorted((a, b) => a - b)
  const leaves = scope.filter(({ kind }) => kind === 'r').map(({ oid }) => oid)
  const checks: [isWrong: string, code: string, reason: string][] = [
    [
      `(select coalesce(array_agg(s.oid order by s.oid), '{}') from (${scopeSql(tablesOn(m, from))}) s) <> ${oidArray(oids)}`,
      UNIT.scope,
      'tables were made or dropped since the preparation',
    ],
    [
      `(select count(*) from pg_trigger where tgname = ${quoteLiteral(fenceTrigger(m.name, epoch))}
          and tgfoid = 'cutover.fence()'::regprocedure and tgrelid = any (${oidArray(oids)})) <> ${oids.length}`,
      UNIT.scope,
      'a table in scope has no trigger of this epoch',
    ],
    [
      `exists (select from pg_prepared_xacts where database = current_database())`,
      UNIT.prepared,
      'a prepared transaction is in doubt',
    ],
  ]
  if (m.mirror === 'replication')
    checks.push([
      `exists (select from unnest(${oidArray(leaves)}) as leaf(oid) where not exists (
        select from pg_get_publication_tables(${quoteLiteral(streamName(m.name, from))}) p where p.relid = leaf.oid))`,
      UNIT.scope,
      'a table in scope is not published',
    ])
  // Without it writes before the fence would be on record nowhere.
  if (m.mirror === 'dual-write')
    checks.push([
      `not (${captureCheckSql(m, captured?.[from] ?? [])})`,
      UNIT.scope,
      'a table in scope has lost its capture',
    ])
  const faults = checks.map(
    ([isWrong, code, reason]) => `when ${isWrong} then ${quoteLiteral(`${code}${reason}`)}`,
  )
  return `select case ${faults.join('\n')} end`
}

/** The text of the unit. */
function fenceUnit(plan: FencePlan): string {
  const { m, from, epoch, scope, locks } = plan
  const trigger = quoteIdent(fenceTrigger(m.name, epoch))
  const tables = scope.map(tableName)
  const fail = (code: string, message: string): string =>
    `raise exception using errcode = '${code}', message = ${quoteLiteral(message)};`

  const sentinel = `
  update cutover.${quoteIdent(sentinelTable(m.name, from))} set epoch = ${epoch};
  if not found then ${fail(UNIT.scope, 'the sentinel is missing')} end if;`

  return `do ${quoteLiteral(`
declare
  fault text;
begin
  perform set_config('lock_timeout', '${locks.timeoutMillis}', true)${locks.mayYield ? `, set_config('deadlock_timeout', '10ms', true)` : ''};
  update cutover.side set epoch = ${epoch}, status = 'fenced', target = ${quoteLiteral(plan.target)}
   where name = ${quoteLiteral(m.name)} and epoch = ${epoch - 1} and status = 'writer';
  if not found then ${fail(UNIT.guard, 'the row is not as it was read')} end if;
  ${tables.length === 0 ? '' : `lock table ${tables.map((table) => `only ${table}`).join(', ')} in share row exclusive mode;`}
  if clock_timestamp() > to_timestamp(${plan.serverDeadline / 1_000}) then
    ${fail(UNIT.late, 'the locks were granted after the deadline')} end if;
  execute 'execute ${CHECKS}' into fault;
  if fault is not null then raise exception using errcode = left(fault, 5), message = substr(fault, 6); end if;
  ${tables.map((table) => `alter table only ${table} enable trigger ${trigger};`).join('\n  ')}
  ${m.mirror === 'replication' ? sentinel : ''}
  perform pg_notify('${changeChannel(m.name)}', '${from} fenced ${epoch}');
end`)}`
}

const oidArray = (oids: readonly number[]): string => `'{${oids.join(',')}}'::oid[]`
