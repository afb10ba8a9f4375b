// Checks of what makes the same statement mean something else on the other side: encodings, collations, settings.
import { quoteIdent, quoteLiteral } from '../../control/names.js'
import { bothSides, DUAL_WRITE } from './check.js'
import type { Check } from './check.js'
import { MEANING_SETTINGS } from './facts-sql.js'

export const MEANING_CHECKS = {
  encoding: {
    severity: 'warning',
    why: 'A row with a character that the other encoding lacks stops the mirror.',
    find: ({ facts }) =>
      facts.old.database.encoding === facts.new.database.encoding
        ? []
        : [
            {
              message: `the encoding is ${facts.old.database.encoding} on the old side and ${facts.new.database.encoding} on the new one; a character that one of them lacks cannot be mirrored`,
              fix: `create database … encoding '${facts.old.database.encoding}' template template0`,
            },
          ],
  },
  'encoding-unknown': {
    severity: 'warning',
    why: 'Nobody has checked that the bytes are text. A row that is no valid UTF-8 is set apart and keeps a cutover from being made.',
    mirrors: DUAL_WRITE,
    find: (context) =>
      bothSides(context, ({ database }, side) =>
        database.encoding !== 'SQL_ASCII'
          ? []
          : [
              {
                side,
                object: database.name,
                message: `the encoding of the ${side} side is SQL_ASCII, which checks nothing; a row with bytes that are no UTF-8 cannot be mirrored`,
                fix: 'see that all text in it is UTF-8, and convert what is not: convert_from(convert_to(…), …)',
              },
            ],
      ),
  },
  collation: {
    severity: 'warning',
    why: 'Text sorts and compares differently after the flip: pages of a sorted list lose or repeat rows, and a range in a WHERE finds others.',
    find: ({ facts }) =>
      (['collate', 'ctype', 'provider', 'locale', 'collationVersion'] as const)
        .filter((part) => facts.old.database[part] !== facts.new.database[part])
        .map((part) => ({
          object: part,
          message: `the databases' collations differ in ${part}: "${facts.old.database[part]}" on the old side, "${facts.new.database[part]}" on the new one; text sorts and compares differently there`,
          fix: 'create the new database with the same locale and provider, or see that no query depends on the order of text',
        })),
  },
  settings: {
    severity: 'warning',
    why: 'The same statement means or returns something else after the flip. Another time zone, for one, shifts each time that is written without a zone.',
    find: ({ facts }) =>
      MEANING_SETTINGS.filter((name) => facts.old.settings[name] !== facts.new.settings[name]).map(
        (name) => ({
          object: name,
          message: `${name} is "${facts.old.settings[name]}" on the old side and "${facts.new.settings[name]}" on the new one, which changes what statements mean`,
          fix: `on the new side: alter database ${quoteIdent(facts.new.database.name)} set ${name} = ${settingValue(name, facts.old.settings[name] ?? '')}; or the other way round on the old one, whichever is wrong`,
        }),
      ),
  },
} as const satisfies Record<string, Check>

/** A search path is a list of names already; in quotes it would be one name. */
export const settingValue = (name: string, value: string): string =>
  name === 'search_path' && value !== '' ? value : quoteLiteral(value).trim()
