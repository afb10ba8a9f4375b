// What the facade at rest adds to a query: over a pool that does nothing, and against a real server.

/** Each is loaded only when it is asked for: what the one needs must not weigh on the other. */
export const facade = async (stub: boolean, quick: boolean) =>
  stub
    ? (await import('./facade/on-stub.js')).facadeOnStub(quick)
    : (await import('./facade/on-server.js')).facadeOnServer(quick)
