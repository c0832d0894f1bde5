/** PostgreSQL that answers and cannot write: its disk is full, or it has become a read-only standby in a fail-over. */
import * as Effect from "effect/Effect"
import { chownSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { spawnSync } from "node:child_process"
import { serverAccount } from "../../bench/servers/ServerProcess.ts"
import { warmOf } from "./Outages.ts"
import { execute, type Rig, startRig } from "./Rig.ts"
import type { RunOptions, Scenario } from "./Scenario.ts"
import { underLoad } from "./UnderLoad.ts"

const healLimitMillis = 10_000

/** Enough for the rows of a run; the rest is filled by a file. */
const diskBytes = 256 * 1024 * 1024

/** A disk of its own that can be filled; `undefined`: this account may not mount one. */
const smallDisk = Effect.acquireRelease(
  Effect.sync(() => {
    const folder = mkdtempSync(join(tmpdir(), "effect-wallet-disk-"))
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${diskBytes}`, "tmpfs", folder])
    if (mounted.status === 0) {
      const { gid, uid } = serverAccount()
      if (uid !== undefined) chownSync(folder, uid, gid ?? uid)
      return folder
    }
    rmSync(folder, { recursive: true, force: true })
    return undefined
  }),
  (folder) =>
    Effect.sync(() => {
      if (folder === undefined) return
      spawnSync("umount", ["-l", folder])
      rmSync(folder, { recursive: true, force: true })
    })
)

const tables = ["events", "wallets", "holds", "transfers"] as const

/** Until nothing more fits on it. */
const fill = (folder: string) =>
  Effect.sync(() => {
    // Ends with an error when there is no more room: that is what it is for.
    spawnSync("dd", ["if=/dev/zero", `of=${join(folder, "ballast")}`, "bs=8k"])
  })

/** The rows live on a disk that is full: SQLSTATE 53100 from the server itself. */
const fullDisk = (folder: string, millis: number) =>
  fill(folder).pipe(
    Effect.andThen(Effect.sleep(millis)),
    Effect.andThen(Effect.sync(() => rmSync(join(folder, "ballast")))),
    Effect.as({ by: "a small disk that is full" })
  )

const failure = (sqlState: string, message: string): ReadonlyArray<string> => [
  `create or replace function public.wallet_fault() returns trigger language plpgsql as
   $$ begin raise exception '${message}' using errcode = '${sqlState}'; end $$`,
  ...tables.map(
    (table) =>
      `create trigger wallet_fault before insert or update on wallet.${table}
       for each statement execute function public.wallet_fault()`
  )
]

const noFailure: ReadonlyArray<string> = tables.map((table) => `drop trigger wallet_fault on wallet.${table}`)

/** Every write is answered with that SQLSTATE, by a trigger. */
const raised = (rig: Rig, sqlState: string, message: string, millis: number) =>
  execute(rig, ...failure(sqlState, message)).pipe(
    Effect.andThen(Effect.sleep(millis)),
    Effect.andThen(execute(rig, ...noFailure)),
    Effect.as({ by: `SQLSTATE ${sqlState} raised by a trigger` })
  )

const onSmallDisk = (rig: Rig, folder: string) =>
  execute(
    rig,
    `create tablespace small location '${folder}'`,
    ...tables.flatMap((table) => [
      `alter table wallet.${table} set tablespace small`,
      `do $$ declare one record; begin
         for one in select indexname from pg_indexes where schemaname = 'wallet' and tablename = '${table}' loop
           execute format('alter index wallet.%I set tablespace small', one.indexname);
         end loop; end $$`
    ])
  )

const diskFull = (options: RunOptions) =>
  Effect.gen(function* () {
    const folder = yield* smallDisk
    const rig = yield* startRig(options)
    if (folder !== undefined) yield* onSmallDisk(rig, folder)
    const millis = options.seconds * 1_000
    return yield* underLoad(rig, {
      scenario: "pg-disk-full",
      what: `PostgreSQL has no room on its disk, ${options.seconds} s`,
      warmMillis: warmOf(options.seconds),
      healLimitMillis,
      fault: folder === undefined ? raised(rig, "53100", "could not extend file", millis) : fullDisk(folder, millis)
    })
  })

const readOnly = (options: RunOptions) =>
  Effect.gen(function* () {
    const rig = yield* startRig(options)
    const { postgres } = rig
    return yield* underLoad(rig, {
      scenario: "pg-read-only",
      what: `PostgreSQL is a read-only standby, ${options.seconds} s, and is then promoted`,
      warmMillis: warmOf(options.seconds),
      healLimitMillis,
      fault: postgres.demote.pipe(
        Effect.andThen(Effect.sleep(options.seconds * 1_000)),
        Effect.andThen(postgres.promote),
        Effect.as({})
      )
    })
  })

export const postgresErrors: ReadonlyArray<Scenario> = [
  {
    name: "pg-disk-full",
    summary: "PostgreSQL has no room on its disk (53100)",
    stores: ["both", "postgres"],
    seconds: 30,
    count: 0,
    run: diskFull
  },
  {
    name: "pg-read-only",
    summary: "PostgreSQL is a read-only standby (25006), then promoted",
    stores: ["both", "postgres"],
    seconds: 30,
    count: 0,
    run: readOnly
  }
]
