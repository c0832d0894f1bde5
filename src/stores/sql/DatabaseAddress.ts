/**
 * Where a PostgreSQL server is, in words for people, and why no session could be had there:
 * the address, the cause, and what to do about it. Never the password.
 */
import * as Redacted from "effect/Redacted"
import { AuthenticationError, ConnectionError, SqlError, UnknownError } from "effect/sql/SqlError"

/** What the form of `DATABASE_URL` has to be, for whoever wrote another one. */
export const databaseUrlForm = "postgres://host:port/database, with user:password@ before the host"

/** Whether it is of that form; the driver understands no other one. */
export const isDatabaseUrl = (url: string): boolean =>
  URL.canParse(url) && /^postgres(?:ql)?:$/.test(new URL(url).protocol)

interface Address {
  readonly host: string
  readonly port: string
  readonly database: string | undefined
  readonly role: string | undefined
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const orNothing = (text: string | null): string | undefined => (text === null || text === "" ? undefined : text)

/** As the driver reads it: what is behind the `?` comes first. */
const addressOf = (url: string): Address | undefined => {
  if (!isDatabaseUrl(url)) return undefined
  const { hostname, pathname, port, searchParams, username } = new URL(url)
  const given = (name: string, part: string) => orNothing(searchParams.get(name)) ?? orNothing(decoded(part))
  const role = given("user", username)
  return {
    host: given("host", hostname) ?? "localhost",
    port: given("port", port) ?? "5432",
    database: given("dbname", pathname.slice(1)) ?? role,
    role
  }
}

/** `PostgreSQL at 127.0.0.1:5432 (database app, role wallet)`. */
export const describeDatabase = (url: Redacted.Redacted): string => {
  const address = addressOf(Redacted.value(url))
  if (address === undefined) return "PostgreSQL"
  const { database, host, port, role } = address
  const parts = [database && `database ${database}`, role && `role ${role}`].filter((part) => part !== undefined)
  return `PostgreSQL at ${host}:${port}${parts.length === 0 ? "" : ` (${parts.join(", ")})`}`
}

/** What an operator can do, by the system's code of the failure or the server's SQLSTATE. */
const remedies: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there: check host and port, and that the server runs",
  ECONNRESET: "the connection was cut: check that this is PostgreSQL's port",
  ENOTFOUND: "the host has no address: check its name",
  EAI_AGAIN: "the host's address cannot be looked up: check its name, and the name server",
  EHOSTUNREACH: "there is no way to this host: check its address and the network",
  ENETUNREACH: "there is no way to this host: check its address and the network",
  ETIMEDOUT: "check host and port, and the firewall between",
  "28P01": "check the password, and the role",
  "28000": "check the role, and the server's pg_hba.conf",
  "3D000": "check its name, or make it: CREATE DATABASE ... ENCODING 'UTF8'",
  "42501": "GRANT CONNECT ON DATABASE to the role",
  "53300": "lower WALLET_SQL_CONNECTIONS, or raise the server's max_connections",
  "57P03": "the server starts or stops: wait for it"
}

/** By the driver's own words, where neither system nor server gave a code. */
const otherRemedies: ReadonlyArray<readonly [said: RegExp, remedy: string]> = [
  [/timed out/i, "check host and port, and the firewall between"],
  [/closed unexpectedly/i, "check that this is PostgreSQL's port"],
  [/requested password|no password/i, "give the password in the URL"],
  [/SCRAM|MD5|authenticat/i, "check the password, and the role"],
  [/ssl|tls/i, "check sslmode in the URL"]
]

interface Fields {
  readonly code?: unknown
  readonly message?: unknown
  readonly errors?: unknown
}

/** A host with several addresses fails once for each of them. */
const causeOf = (cause: unknown): Fields => {
  const fields: Fields = typeof cause === "object" && cause !== null ? cause : {}
  const { errors } = fields
  return Array.isArray(errors) && errors.length > 0 ? (errors[errors.length - 1] as Fields) : fields
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)

const wordsOf = (place: string, { cause, message: said }: SqlError["reason"]): string => {
  // A session that was had, and is not what it has to be: that says what to do.
  if (said?.startsWith("PgConnection: ") !== true) return `${place}: ${said}`
  const fields = causeOf(cause)
  const words = textOf(fields.message) ?? said ?? "no message"
  const remedy = remedies[String(fields.code)] ?? otherRemedies.find(([form]) => form.test(`${said} ${words}`))?.[1]
  return `${place} cannot be used: ${words}${remedy === undefined ? "" : `; ${remedy}`} (DATABASE_URL)`
}

/**
 * No session could be had. Has what the server has said of the failure beside the words, as
 * the driver's own error had it: `code`, `severity`.
 */
export class ConnectFailed extends Error {
  override readonly name = "ConnectFailed"

  constructor(place: string, reason: SqlError["reason"]) {
    const { cause } = reason
    super(wordsOf(place, reason), { cause })
    if (typeof cause !== "object" || cause === null) return
    const { code, severity, severityUnlocalized } = cause as Readonly<Record<string, unknown>>
    Object.assign(this, { code, severity, severityUnlocalized })
  }
}

/** Where the server has given no SQLSTATE, the kind tells whether to try again. */
const sameKind = (
  { _tag }: SqlError["reason"],
  props: { readonly cause: unknown; readonly message: string; readonly operation: string }
) => {
  if (_tag === "ConnectionError") return new ConnectionError(props)
  return _tag === "AuthenticationError" ? new AuthenticationError(props) : new UnknownError(props)
}

/** The same failure of the driver, in words for people. What is no failure to connect stays as it is. */
export const explained =
  (place: string) =>
  (error: SqlError): SqlError => {
    const { reason } = error
    if (reason.operation !== "connect" || reason.cause instanceof ConnectFailed) return error
    const cause = new ConnectFailed(place, reason)
    return new SqlError({ reason: sameKind(reason, { cause, message: cause.message, operation: "connect" }) })
  }
