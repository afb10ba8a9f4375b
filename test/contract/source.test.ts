// Runs the source contract on every source that there is.
import { afterAll, describe } from 'vitest'
import { freshDatabase } from '../support/databases.js'
import { sourceContract } from './source.js'
import { fileSubject } from './source/file.js'
import { LAUNCHDARKLY_SUBJECTS } from './source/launchdarkly.js'
import { memorySubject } from './source/memory.js'
import { openFeatureSubjects } from './source/openfeature.js'
import { ownSubject } from './source/own.js'
import { postgresSubject } from './source/postgres.js'

const database = await freshDatabase('new')
afterAll(() => database.drop())

const subjects = [
  memorySubject,
  fileSubject,
  postgresSubject(database.url),
  ...LAUNCHDARKLY_SUBJECTS,
  ...openFeatureSubjects,
  ownSubject,
]

for (const subject of subjects) describe(subject.name, () => sourceContract(subject))
