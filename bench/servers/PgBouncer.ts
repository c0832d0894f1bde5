/** A throw-away PgBouncer in front of a PostgreSQL server, for the tests. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { endProcess, findPrograms, freePort, serverAccount, startUntil, temporaryFolder } from "./ServerProcess.ts"

/** Where pgbouncer is; `undefined`: not on this machine. */
export const pgBouncerFolder: string | undefined = findPrograms(["pgbouncer"], ["/usr/sbin"])

/**
 * Its address, for the database and the user of the server's. `settings`: of its file, beside where
 * it listens and that it asks nobody for a password. Dies when the program is not there.
 */
export const startPgBouncer = Effect.fnUntraced(function* (
  server: Redacted.Redacted,
  settings: Readonly<Record<string, string>>
) {
  if (pgBouncerFolder === undefined) return yield* Effect.die(new Error("pgbouncer is not on this machine"))
  const account = serverAccount()
  const folder = yield* temporaryFolder(account)
  const port = yield* freePort
  const url = new URL(Redacted.value(server))
  const file = Path.join(folder, "pgbouncer.ini")
  const all = {
    listen_addr: "127.0.0.1",
    listen_port: String(port),
    unix_socket_dir: "",
    auth_type: "trust",
    auth_file: Path.join(folder, "users"),
    ...settings
  }
  Fs.writeFileSync(all.auth_file, `"${url.username}" ""\n`)
  const lines = Object.entries(all).map(([name, value]) => `${name} = ${value}`)
  const database = `* = host=${url.hostname} port=${url.port}`
  Fs.writeFileSync(file, ["[databases]", database, "[pgbouncer]", ...lines, ""].join("\n"))
  const start = startUntil(Path.join(pgBouncerFolder, "pgbouncer"), [file], "process up", account)
  yield* Effect.acquireRelease(start, (child) => endProcess(child, "SIGKILL"))
  url.port = String(port)
  return Redacted.make(url.href)
})
