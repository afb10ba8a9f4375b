// Managed services of Postgres: how each is recognised, and how there is done what elsewhere a superuser does.
import { quoteIdent } from '../../control/names.js'
import type { SideFacts } from './facts.js'

interface Service {
  readonly title: string
  /** It is this service where one of these roles is there, or this setting. */
  readonly roles: readonly string[]
  readonly setting: string
  /** Who owns what belongs to the service itself. */
  readonly admins: readonly string[]
  readonly set: (name: string, value: string, then: string) => string
  readonly logical: string
  readonly grantReplication: (role: string) => string
  /** How an extension is let in before CREATE EXTENSION. */
  readonly allowExtension?: (name: string) => string
  readonly replicaRole: string
}

const alterReplication = (by: string) => (role: string) => `alter role ${role} replication -- as ${by}`

/** The first that fits is taken; looked up in their documentation, see docs/databases.md. */
export const SERVICES = {
  rds: {
    title: 'Amazon RDS or Aurora',
    roles: ['rds_superuser', 'rdsadmin'],
    setting: 'rds.logical_replication',
    admins: ['rdsadmin'],
    set: (name, value, then) =>
      `set ${name} = ${value} in the parameter group of the instance (on Aurora: of the cluster), then ${then}`,
    logical:
      'set rds.logical_replication = 1 in the parameter group of the instance (on Aurora: of the cluster), then reboot it',
    grantReplication: (role) => `grant rds_replication to ${role} -- as a member of rds_superuser`,
    allowExtension: (name) =>
      `have ${name} in rds.allowed_extensions of the parameter group, where that is set`,
    replicaRole: 'grant rds_superuser to the role: on Amazon RDS only its members may',
  },
  cloudsql: {
    title: 'Google Cloud SQL',
    roles: ['cloudsqlsuperuser', 'cloudsqladmin'],
    setting: 'cloudsql.logical_decoding',
    admins: ['cloudsqladmin'],
    set: (name, value) =>
      `gcloud sql instances patch INSTANCE --database-flags=${name}=${value} -- together with all flags that are set already, since the list replaces them; the instance restarts`,
    logical:
      'gcloud sql instances patch INSTANCE --database-flags=cloudsql.logical_decoding=on -- together with all flags that are set already, since the list replaces them; the instance restarts',
    grantReplication: alterReplication('a member of cloudsqlsuperuser'),
    replicaRole: 'ask for it as a member of cloudsqlsuperuser; where that is refused, write plainly',
  },
  azure: {
    title: 'Azure Database for PostgreSQL',
    roles: ['azure_pg_admin', 'azuresu'],
    setting: 'azure.extensions',
    admins: ['azuresu'],
    set: (name, value, then) =>
      `az postgres flexible-server parameter set --resource-group GROUP --server-name SERVER --name ${name} --value ${value}, then ${then}`,
    logical:
      'az postgres flexible-server parameter set --resource-group GROUP --server-name SERVER --name wal_level --value logical, then restart the server',
    grantReplication: alterReplication('the administrator (a member of azure_pg_admin)'),
    allowExtension: (name) => `add ${name} to the server parameter azure.extensions`,
    replicaRole: 'ask for it as a member of azure_pg_admin; where that is refused, write plainly',
  },
  supabase: {
    title: 'Supabase',
    roles: ['supabase_admin'],
    setting: 'supautils.privileged_role',
    admins: ['supabase_admin'],
    set: (name, value) =>
      `supabase --experimental --project-ref REF postgres-config update --config ${name}=${value} -- the server restarts where the setting needs it`,
    logical:
      'supabase --experimental --project-ref REF postgres-config update --config wal_level=logical -- it is the default there; where it is refused, ask the support of Supabase',
    grantReplication: alterReplication('the role postgres'),
    replicaRole: 'ask for it as the role postgres; where that is refused, write plainly',
  },
  neon: {
    title: 'Neon',
    roles: ['neon_superuser'],
    setting: 'neon.timeline_id',
    admins: ['cloud_admin'],
    set: (name, value) =>
      `ask the support of Neon for ${name} = ${value}: it cannot be set by who uses the database`,
    logical: 'enable Logical Replication in the settings of the project, in the console of Neon',
    grantReplication: alterReplication('a member of neon_superuser'),
    replicaRole: 'nobody may on Neon, its own administrators apart: write plainly',
  },
} as const satisfies Record<string, Service>

export type ServiceName = keyof typeof SERVICES

const serviceOf = ({ service }: Pick<SideFacts, 'service'>): Service | undefined =>
  service === null ? undefined : SERVICES[service]

/** Sets a setting of the whole server; `then` is what makes it count. */
export const setServer = (facts: Pick<SideFacts, 'service'>, name: string, value: string, then: string) =>
  serviceOf(facts)?.set(name, value, then) ?? `alter system set ${name} = ${value}, then ${then}`

export const setLogical = (facts: Pick<SideFacts, 'service'>): string =>
  serviceOf(facts)?.logical ?? "alter system set wal_level = 'logical', then restart the server"

export const grantReplication = (facts: SideFacts): string => {
  const role = quoteIdent(facts.role.name)
  return serviceOf(facts)?.grantReplication(role) ?? `alter role ${role} replication -- as a superuser`
}

export const createExtension = (facts: Pick<SideFacts, 'service'>, name: string): string => {
  const allow = serviceOf(facts)?.allowExtension?.(name)
  return `${allow === undefined ? '' : `${allow}; then `}create extension ${quoteIdent(name)}`
}

/** Who may what Postgres keeps for superusers. */
export const privileged = (facts: Pick<SideFacts, 'service'>): string => {
  const service = serviceOf(facts)
  return service === undefined ? 'a superuser' : `a member of ${service.roles[0]} (${service.title})`
}

export const setReplicaRole = (facts: Pick<SideFacts, 'service'>): string | undefined =>
  serviceOf(facts)?.replicaRole
