// Reads the name of a table as options give it.

/** `schema.table`, exactly as in the catalog; quoted parts may contain a dot. Undefined for anything else. */
export function splitTableName(text: string): { readonly schema: string; readonly name: string } | undefined {
  const match = /^(?:"((?:[^"]|"")+)"|([^".]+))\.(?:"((?:[^"]|"")+)"|([^".]+))$/.exec(text)
  const schema = match?.[1]?.replaceAll('""', '"') ?? match?.[2]
  const name = match?.[3]?.replaceAll('""', '"') ?? match?.[4]
  return schema === undefined || name === undefined ? undefined : { schema, name }
}
