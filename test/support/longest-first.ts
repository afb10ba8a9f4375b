// Begins with the files that take longest, also where no earlier run is known: one of them begun last would run on alone.
import { BaseSequencer } from 'vitest/node'
import type { TestSpecification } from 'vitest/node'

const LONGEST = [
  'test/contract/pool.test.ts',
  'test/postgres/coordinator/kill-at-every-step.test.ts',
  'test/postgres/coordinator/way-out.test.ts',
  'test/postgres/dual-write/cutover.test.ts',
  'test/postgres/pool/transactions.test.ts',
  'test/fleet/rivals.test.ts',
  'test/demo/demo.test.ts',
  'test/postgres/pool/ten-thousand.test.ts',
  'test/bench/command.test.ts',
  'test/package/consumer.test.ts',
  'test/support/servers.test.ts',
  'test/postgres/coordinator/lost-answer.test.ts',
  'test/postgres/preflight/findings.test.ts',
]

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const found = LONGEST.findIndex((path) => moduleId.endsWith(path))
      return found === -1 ? LONGEST.length : found
    }
    const usual = super.sort.bind(this)
    // Among the others the order stays.
    return (await usual(files)).toSorted((a, b) => place(a) - place(b))
  }
}
