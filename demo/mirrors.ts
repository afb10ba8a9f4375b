// What can keep the other side equal in the demo.

export const MIRRORS = {
  replication: { what: "Postgres' own logical replication" },
  'dual-write': { what: 'a record of changes by triggers, which the library writes to the other side' },
} as const satisfies Record<string, { readonly what: string }>

export type MirrorName = keyof typeof MIRRORS

/** Where the library keeps the record of the migration `demo`, on the side that writes. */
export const RECORD = 'cutover.record_demo'
