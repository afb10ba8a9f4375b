// `pg-cutover indexes`: the statements that build what the other side still lacks.
import type { Migration } from '../control/migration.js'
import { missingIndexes } from '../dual-write/indexes.js'
import { otherSide } from '../phase/phases.js'
import { EXIT, type Outcome } from './outcome.js'
import { printable, type Output } from './screen.js'
import { writingSide } from './writing-side.js'

/** Ends with 1 where some are missing, so that a script can wait for them. */
export async function indexesCommand(m: Migration, _: unknown, { paint }: Output): Promise<Outcome> {
  const from = (await writingSide(m)) ?? 'old'
  const to = otherSide(from)
  const missing = await missingIndexes(m, from)
  // As SQL with comments, so that it can go to psql as it is.
  const comment = (text: string): string => paint.faint(`-- ${text}`)
  return {
    exit: missing.length > 0 ? EXIT.refused : EXIT.done,
    lines: [
      comment(
        missing.length === 0
          ? `the ${to} side has every index and constraint that the ${from} one has`
          : `for the ${to} side, by the owner of the tables, one by one and outside a transaction`,
      ),
      ...missing.flatMap(({ table, name, kind, statements, blocks }) => [
        '',
        comment(printable(`${table}: ${kind} ${name}`)),
        ...(blocks ? [comment('holds writers of the table up while it is built')] : []),
        ...statements.map((statement) => `${statement};`),
      ]),
    ],
    json: { name: m.name, from, to, missing },
  }
}
