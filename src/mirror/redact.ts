// Cuts out of a server's words what its connection string holds; the only place where such words are made fit to be shown.

/** The parser of libpq has refused the string, and quotes a part of it, whatever that part is and in its own language. */
const SYNTAX_ERROR = '42601'
const QUERY_CANCELED = '57014'

/**
 * A server's message about a connection string without its secrets. `sqlState` says what no language changes. Where the string
 * can be read in two ways, libpq may take a half of the password for a host or a port and name it: then nothing is quoted.
 */
export function redact(message: string, conninfo: string, sqlState?: string): string {
  if (sqlState === QUERY_CANCELED) return 'no answer in time'
  if (sqlState === SYNTAX_ERROR) return 'its connection string is not valid'
  const secrets = isUrl(conninfo) ? secretsOfUrl(conninfo) : secretsOfPairs(conninfo)
  if (secrets === undefined)
    return 'its connection string can be read in two ways; a password in a URL needs %40 for "@", %2F for "/", %3F for "?" and %25 for "%"'
  return (
    [conninfo, ...secrets]
      .filter((secret) => secret !== '')
      .toSorted((a, b) => b.length - a.length)
      .reduce((text, secret) => text.replaceAll(secret, '***'), message)
      // A URL in the place of a name, such as that of the database.
      .replaceAll(/(:\/\/[^\s:/@]*:)[^\s@]*@/g, '$1***@')
  )
}

const isUrl = (conninfo: string): boolean => /^postgres(?:ql)?:\/\//.test(conninfo)

/** Undefined where what stands before the last "@" is not plainly a user and a password. */
function secretsOfUrl(url: string): readonly string[] | undefined {
  const rest = url.slice(url.indexOf('://') + 3)
  const [before, query] = splitAt(rest, '?')
  const inQuery = [...query.matchAll(/(?:^|&)(?:ssl)?password=([^&]*)/g)].flatMap(([, value = '']) =>
    bothWays(value),
  )
  const at = before.lastIndexOf('@')
  // The "?" may be a piece of the password.
  if (at < 0) return query.includes('@') && before.includes(':') ? undefined : inQuery
  const login = before.slice(0, at)
  if (!/^(?:[^%@/?#\s]|%[0-9a-f]{2})*$/i.test(login)) return undefined
  return [...bothWays(splitAt(login, ':')[1]), ...inQuery]
}

/** `keyword = value` as libpq reads it: a value in quotes or up to the next space, with a backslash before any character. */
function secretsOfPairs(conninfo: string): readonly string[] {
  const pairs = conninfo.matchAll(/(\w+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s\\]|\\.)*))/gs)
  return [...pairs].flatMap(([, keyword, quoted, plain]) => {
    const value = quoted ?? plain ?? ''
    return keyword === 'password' || keyword === 'sslpassword' ? [value, value.replace(/\\(.)/gs, '$1')] : []
  })
}

function splitAt(text: string, mark: string): readonly [string, string] {
  const index = text.indexOf(mark)
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index + 1)]
}

const bothWays = (text: string): readonly string[] => [text, decoded(text)]

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
