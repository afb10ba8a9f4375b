// What is shown of a connection, and that it is never a part of a password.
import { describe, expect, it } from 'vitest'
import { addressOf } from '../../src/address.js'
import { controlConnection } from '../../src/control/control-connection.js'

describe('the address of a connection', () => {
  it.each([
    [{ connectionString: 'postgres://app:secret@db:5433/shop' }, 'db:5433/shop'],
    [{ connectionString: 'postgres://app:s%40%2F%23@db/shop?application_name=a@b' }, 'db:5432/shop'],
    [{ host: 'db', port: 1, database: 'shop', user: 'a@b', password: 'x@y' }, 'db:1/shop'],
    [{ connectionString: 'postgres://db:5433/shop' }, 'db:5433/shop'],
  ])('of %o is shown', (config, shown) => {
    expect(addressOf(config)).toEqual({ shown })
  })

  it.each(['#', '?', '/'])('is not shown where the password has a bare "%s"', (mark) => {
    const config = { connectionString: `postgres://app:1234${mark}hunter2@db/shop` }
    expect(addressOf(config)).toEqual({
      fault: 'has an "@" where none can be',
      expected: expect.stringContaining('%40'),
    })
    const { address } = controlConnection({ side: 'old', config })
    expect(address).toBe('an address that has an "@" where none can be')
  })
})
