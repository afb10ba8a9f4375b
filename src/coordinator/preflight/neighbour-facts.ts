// What can be asked only when the facts are known: jobs of schedulers, what roles lack on the other side, what members lack.
import type { Run } from '../../control/control-connection.js'
import { missingMemberGrants } from '../../control/grants.js'
import type { Migration } from '../../control/migration.js'
import { recordTable } from '../../control/names.js'
import { nameAcross } from '../../mirror/mapping.js'
import { otherSide } from '../../phase/phases.js'
import type { Side } from '../../phase/phases.js'
import type { Context, LackingGrant } from './check.js'
import type { GrantFacts, SideFacts } from './facts.js'

/** By way of JSON, since the columns differ from version to version. */
const JOBS: Readonly<Record<string, string>> = {
  'cron.job': `select format('%s (pg_cron, %s)', coalesce(j->>'jobname', 'job ' || (j->>'jobid')), j->>'schedule') as name
    from (select to_jsonb(t) as j from cron.job t) x
   where (j->>'active')::bool is not false and coalesce(j->>'database', current_database()) = current_database() order by 1`,
  'pgagent.pga_job': `select format('%s (pgAgent)', j->>'jobname') as name
    from (select to_jsonb(t) as j from pgagent.pga_job t) x where (j->>'jobenabled')::bool is not false order by 1`,
}

export async function readNeighbours(
  m: Migration,
  from: Side,
  run: Readonly<Record<Side, Run>>,
  facts: Readonly<Record<Side, SideFacts>>,
): Promise<Pick<Context, 'jobs' | 'lackingGrants' | 'memberGrants'>> {
  const to = otherSide(from)
  const [oldJobs, newJobs, lackingGrants, oldGrants, newGrants] = await Promise.all([
    readJobs(run.old, facts.old),
    readJobs(run.new, facts.new),
    readLacking(
      run[to],
      facts[from].grants.map((grant) => ({ ...grant, ...nameAcross(m, from, grant) })),
    ),
    readMemberGrants(m, run.old, facts.old),
    readMemberGrants(m, run.new, facts.new),
  ])
  return {
    jobs: { old: oldJobs, new: newJobs },
    lackingGrants,
    memberGrants: { old: oldGrants, new: newGrants },
  }
}

async function readJobs(run: Run, { jobTables }: SideFacts): Promise<string[]> {
  const found: string[] = []
  for (const { name, readable } of jobTables) {
    const sql = JOBS[name]
    if (!readable || sql === undefined) found.push(`the jobs in ${name}, which this role may not read`)
    else found.push(...(await run<{ name: string }>(sql)).map((job) => job.name))
  }
  return found
}

async function readLacking(run: Run, grants: readonly GrantFacts[]): Promise<LackingGrant[]> {
  if (grants.length === 0) return []
  return run<LackingGrant & Record<string, unknown>>(
    `select g.role, g.schema, g.name, g.role <> '' and r.oid is null as "roleMissing",
            array_agg(p order by p) as rights
       from jsonb_to_recordset($1::jsonb) as g(role text, schema text, name text, rights jsonb)
       join pg_namespace n on n.nspname = g.schema join pg_class c on c.relnamespace = n.oid and c.relname = g.name
       left join pg_roles r on r.rolname = g.role, lateral jsonb_array_elements_text(g.rights) p
      where not case when g.role = '' then has_table_privilege('public', c.oid, p)
                     when r.oid is null then false else has_table_privilege(r.oid, c.oid, p) end
      group by g.role, g.schema, g.name, 4 order by g.role, g.schema, g.name`,
    [JSON.stringify(grants)],
  )
}

/** Of a schema that is not there yet nothing is missing: whoever makes it gives them. */
async function readMemberGrants(m: Migration, run: Run, facts: SideFacts): Promise<string[]> {
  if (facts.controlSchema !== 'ours' || facts.pool === null || facts.pool.superuser) return []
  return missingMemberGrants(
    run,
    facts.pool.role,
    m.mirror === 'dual-write' ? recordTable(m.name) : undefined,
  )
}
