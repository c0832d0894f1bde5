/** What a load was measured on: the machine, the program and its commit, the stores as far as they are known here. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import * as Os from "node:os"
import * as Process from "node:process"
import { fileURLToPath } from "node:url"
import { databaseLayer, type StoresConfig } from "../../engine/EngineStores.ts"
import { packageFile } from "../../stores/PackageFile.ts"
import { withoutCredentials } from "../Secrets.ts"
import type { ServicePlace } from "../ServicePlace.ts"

/** Of the repository, or of the package. */
const root = fileURLToPath(
  packageFile({ asker: import.meta.url, module: "cli/load/LoadEnvironment", beside: "../../../", packaged: "./" })
)

const Manifest = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))

const readText = (path: string) =>
  Effect.flatMap(FileSystem.FileSystem, (files) => Effect.option(files.readFileString(path)))

/** Of a checkout; a package has none. */
const commitOf = Effect.gen(function* () {
  const head = Option.getOrElse(yield* readText(`${root}.git/HEAD`), () => "").trim()
  const ref = /^ref: (.+)$/.exec(head)?.[1]
  if (ref === undefined) return head
  const loose = Option.getOrElse(yield* readText(`${root}.git/${ref}`), () => "").trim()
  if (loose !== "") return loose
  const packed = Option.getOrElse(yield* readText(`${root}.git/packed-refs`), () => "")
  return (
    packed
      .split("\n")
      .find((line) => line.endsWith(` ${ref}`))
      ?.split(" ")[0] ?? ""
  )
})

/** What a durable commit costs depends on these. */
const settingsOf = Effect.gen(function* () {
  const sql = yield* SqlClient
  const rows = yield* sql<{ readonly name: string; readonly setting: string }>`
    select name, setting || coalesce(unit, '') as setting from pg_settings
    where name in ('server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers', 'wal_level')
    order by name`
  return rows.map(({ name, setting }) => `${name} ${setting}`).join(", ")
})

const storesOf = Effect.fnUntraced(function* (stores: StoresConfig, place: ServicePlace) {
  if (Option.isSome(stores.databaseUrl)) {
    const settings = Effect.provide(settingsOf, databaseLayer({ ...stores, maxConnections: 1 }))
    return { PostgreSQL: yield* Effect.catchCause(settings, () => Effect.succeed("does not answer")) }
  }
  if (place._tag === "Here" || place.because !== "as asked for") {
    return { store: "embedded PGlite: fsync off, it survives a killed process and not a power cut" }
  }
  return { stores: "not known here: set DATABASE_URL as the service has it to have its settings shown" }
})

const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`

/** Names and values as they are to be shown. Nothing of it fails a load. */
export const environmentOf = Effect.fnUntraced(function* (stores: StoresConfig, place: ServicePlace) {
  const manifest = yield* Effect.map(readText(`${root}package.json`), Option.flatMap(Schema.decodeOption(Manifest)))
  const version = Option.match(manifest, { onNone: () => "", onSome: ({ version }) => ` ${version}` })
  const commit = yield* commitOf
  const cpus = Os.cpus()
  return {
    "load by": `effect-wallet${version}${commit === "" ? "" : `, commit ${commit}`}`,
    node: Process.version,
    system: `${Os.type()} ${Os.release()} ${Os.arch()}`,
    processor: `${cpus.length} × ${cpus[0]?.model ?? "unknown"}`,
    memory: gigabytes(Os.totalmem()),
    "busy before": `load average ${Os.loadavg()
      .map((load) => load.toFixed(1))
      .join(", ")}`,
    driven:
      place._tag === "Here"
        ? "an engine of this process"
        : withoutCredentials(`the service at ${place.service.baseUrl}`),
    ...(yield* storesOf(stores, place))
  }
})
