// The tables that the contract runs on; each side carries a row with its own name, so that a wrong route shows in an assertion.
import pg from 'pg'

export async function createTables(url: string, side: 'old' | 'new'): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'contract tables' })
  await client.connect()
  try {
    await client.query(`
      create table marker (side text not null);
      insert into marker values ('${side}');
      create table people (
        id int primary key,
        email text constraint people_email_key unique,
        age int constraint people_age_check check (age >= 0),
        name text not null default 'somebody',
        friend int constraint people_friend_fkey references people
      );
      insert into people (id, email, age) values (1, 'first@example.org', 30);
      create table log (entry text primary key);
    `)
  } finally {
    await client.end()
  }
}
