// The statements behind the stored counts of compared reads; every value of theirs is plain ASCII.
import { setImmediate } from 'node:timers/promises'
import type { KeptReport, KeptStatement } from './store.js'

const LONGEST_TEXT = 4_000
const MOST_STATEMENTS = 500
const MOST_MISMATCHES = 100
// Writing down five hundred takes some milliseconds, in which calls of the application would wait.
const AT_ONCE = 50

/** The generation that a side knows of; 0 where counting was never begun anew. */
export const GENERATION = `select coalesce((select generation from cutover.shadow where name = $1), 0)::int as generation`

/**
 * Saves one process's counts, if its generation is not behind the side's; the generation of a process that has none yet is
 * the side's. One statement, so that a `reset` comes before it or after it. What is lost in a crash of the server is
 * counted again or of no weight, so that nobody waits for the disk.
 */
export const SAVE = `
  with known as (${GENERATION}),
  mine as (select coalesce($3::bigint, known.generation) as generation from known),
  raised as (
    insert into cutover.shadow as side (name, generation)
    select $1, mine.generation from mine, known where mine.generation > known.generation
    on conflict (name) do update set generation = greatest(side.generation, excluded.generation)),
  process as (
    insert into cutover.shadow_process (name, process, generation, revision, since, updated, real, counts, mismatches)
    select $1, $2, mine.generation, $4, $5, clock_timestamp(), $6, $7, $8
      from mine, known where mine.generation >= known.generation
    on conflict (name, process) do update set generation = excluded.generation, revision = excluded.revision,
      since = excluded.since, updated = excluded.updated, real = excluded.real, counts = excluded.counts,
      mismatches = excluded.mismatches
    returning xmax = 0 as inserted),
  statements as (
    insert into cutover.shadow_statement (name, process, fingerprint, generation, real, report)
    select $1, $2, given.fingerprint, mine.generation, given.real, given.report
      from process, mine, unnest($9::text[], $10::bigint[], $11::text[]) as given (fingerprint, real, report)
    on conflict (name, process, fingerprint) do update set generation = excluded.generation, real = excluded.real,
      report = excluded.report)
  select known.generation as known, mine.generation::int as generation,
         (select inserted from process) as inserted, set_config('synchronous_commit', 'off', true)
    from known, mine`

/** Forgets the statements that a process does not list any more. */
export const FORGET_STATEMENTS = `
  delete from cutover.shadow_statement where name = $1 and process = $2 and not fingerprint = any($3::text[])`

/** Forgets processes that have been silent for a day, and statements that belong to no process any more. */
export const TIDY = `
  with silent as (
    delete from cutover.shadow_process where name = $1 and updated < clock_timestamp() - interval '1 day'
    returning process)
  delete from cutover.shadow_statement s where name = $1 and (
    process in (select process from silent)
    or not exists (
      select from cutover.shadow_process p
       where p.name = s.name and p.process = s.process and p.generation = s.generation))`

export const RESET = `
  with raised as (
    insert into cutover.shadow as side (name, generation) values ($1, $2)
    on conflict (name) do update set generation = greatest(side.generation, excluded.generation)),
  processes as (delete from cutover.shadow_process where name = $1 and generation < $2)
  delete from cutover.shadow_statement where name = $1 and generation < $2`

/** Each process that has saved anything on this side, and how much of it differed for real. */
export const PROCESSES = `
  select process, generation::int as generation, revision::int as revision, real::int as real, since, updated, counts
    from cutover.shadow_process where name = $1 and updated >= clock_timestamp() - interval '1 day'`

/** The whole of these processes. */
export const REPORTS = `
  select process, mismatches, coalesce((
      select array_agg(s.report order by s.fingerprint) from cutover.shadow_statement s
       where s.name = p.name and s.process = p.process and s.generation = p.generation), '{}') as statements
    from cutover.shadow_process p where name = $1 and process = any($2::text[])`

/** The statements of these processes that differed for real, the worst first. */
export const REAL_STATEMENTS = `
  select s.report from cutover.shadow_statement s join cutover.shadow_process p using (name, process, generation)
   where s.name = $1 and s.process = any($2::text[]) and s.real > 0 order by s.real desc limit 100`

// A lone surrogate, or a sign that the database's encoding lacks, would otherwise be refused.
const ascii = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[^\u0020-\u007E]/g,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

const storedStatement = (statement: KeptStatement): string =>
  ascii({ ...statement, text: statement.text?.slice(0, LONGEST_TEXT) })

async function storedStatements(statements: readonly KeptStatement[]): Promise<string[]> {
  const stored: string[] = []
  for (const statement of statements) {
    stored.push(storedStatement(statement))
    if (stored.length % AT_ONCE === 0) await setImmediate()
  }
  return stored
}

/** The parameters of {@link SAVE}, with only those statements that are wanted. */
export async function saveValues(
  name: string,
  process: string,
  generation: number | undefined,
  revision: number,
  report: KeptReport,
  wanted: readonly KeptStatement[],
): Promise<readonly unknown[]> {
  const { since, compared, outcomes, skipped, mismatches } = report
  return [
    name,
    process,
    generation ?? null,
    revision,
    since,
    outcomes.real,
    ascii({ compared, outcomes, skipped }),
    // The values of a row stay in the process whose option has asked for them.
    ascii(mismatches.slice(0, MOST_MISMATCHES).map((mismatch) => ({ ...mismatch, values: undefined }))),
    wanted.map(({ fingerprint }) => fingerprint),
    wanted.map(({ outcomes: { real } }) => real),
    await storedStatements(wanted),
  ]
}

export const withinBounds = (statements: readonly KeptStatement[]): readonly KeptStatement[] =>
  statements.slice(0, MOST_STATEMENTS)
