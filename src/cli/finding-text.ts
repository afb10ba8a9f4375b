// The findings of preflight as text: what it is, why it matters, and the SQL or setting that mends it.
import type { Finding } from '../coordinator/preflight.js'
import type { Paint } from './screen.js'

export const errorsIn = (findings: readonly Finding[]): Finding[] =>
  findings.filter(({ severity }) => severity === 'error')

export const findingLines = (findings: readonly Finding[], paint: Paint): string[] =>
  findings.flatMap((finding) => [
    `${finding.severity === 'error' ? paint.bad('error  ') : paint.warn('warning')}  ${heading(finding)}`,
    `         ${finding.message}`,
    paint.faint(`         why: ${finding.why}`),
    paint.faint(`         fix: ${finding.fix}`),
    '',
  ])

const heading = ({ code, side, object }: Finding): string =>
  [code, side === undefined ? '' : `on ${side}`, object ?? ''].filter((part) => part !== '').join(' ')
