/**
 * The data directory of an embedded service: one process has it at a time.
 *
 * The lock is the operating system's own (SQLite's exclusive lock on an empty
 * file), so it ends with the process however that ends: no stale lock to
 * recognise, no process id to be reused, no race of two starts. `service.json`
 * beside it only tells who has the lock and where it listens.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { dirname, join, resolve } from "node:path"
import { DatabaseSync } from "node:sqlite"

/** Who has a data directory; `null`: has not said yet. `url` is known once its HTTP server listens. */
export interface Occupant {
  readonly pid: number | null
  readonly url: string | null
}

const OccupantJson = Schema.fromJsonString(Schema.Struct({ pid: Schema.Int, url: Schema.NullOr(Schema.String) }))

const unknownOccupant: Occupant = { pid: null, url: null }

/** Another process, or another engine of this one, has the data directory open. */
export class DataDirectoryInUse extends Schema.TaggedError<DataDirectoryInUse>()("DataDirectoryInUse", {
  dataDir: Schema.String,
  /** `null`: the occupant has not said yet. */
  pid: Schema.NullOr(Schema.Int),
  url: Schema.NullOr(Schema.String)
}) {
  override get message(): string {
    const process = this.pid === null ? "another process" : `process ${this.pid}`
    const url = this.url === null ? "" : `, listening on ${this.url}`
    return `the data directory ${this.dataDir} is in use by ${process}${url}`
  }
}

/** The data directory cannot be made, written or locked. */
export class DataDirectoryUnusable extends Schema.TaggedError<DataDirectoryUnusable>()("DataDirectoryUnusable", {
  dataDir: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `the data directory ${this.dataDir} cannot be used: ${this.reason} (WALLET_DATA_DIR)`
  }
}

/** SQLite's code for "somebody else has the lock". */
const sqliteBusy = 5

/** Longer than `occupant` holds the lock to look whether anybody does. */
const lockPatienceMillis = 300

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const lockFile = (dataDir: string): string => join(dataDir, "lock")
const serviceFile = (dataDir: string): string => join(dataDir, "service.json")

const readOccupant = (dataDir: string): Effect.Effect<Occupant> =>
  Effect.try({ try: () => readFileSync(serviceFile(dataDir), "utf8"), catch: reasonOf }).pipe(
    Effect.flatMap(Schema.decodeEffect(OccupantJson)),
    Effect.orElseSucceed(() => unknownOccupant)
  )

const writeOccupant = (dataDir: string, occupant: Occupant): Effect.Effect<void, DataDirectoryUnusable> =>
  Effect.try({
    try: () => {
      // Written beside and renamed: a reader finds all of it or the one before.
      const fresh = `${serviceFile(dataDir)}.${process.pid}`
      writeFileSync(fresh, JSON.stringify(occupant), { mode: 0o600 })
      renameSync(fresh, serviceFile(dataDir))
    },
    catch: (cause) => new DataDirectoryUnusable({ dataDir, reason: reasonOf(cause) })
  })

/** Not `recursive`: there Node turns for ever where the system lets no folder be, as in `/proc`. */
const makeFolders = (path: string): void => {
  if (existsSync(path)) return
  makeFolders(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (cause) {
    // Another start was first.
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause
  }
}

/** A folder that was there keeps the rights that its owner gave it; what we put into it is for us alone. */
const makeFolder = (dataDir: string): void => {
  if (existsSync(dataDir)) {
    if (!statSync(dataDir).isDirectory()) throw new Error("it is a file")
    return
  }
  makeFolders(dataDir)
  // Whatever the process' umask took away.
  chmodSync(dataDir, 0o700)
}

/** Answers whether the lock is new. */
const prepareFolder = (dataDir: string): boolean => {
  makeFolder(dataDir)
  try {
    // Only when it is new. Opening and closing a file that this process has locked would drop the lock.
    closeSync(openSync(lockFile(dataDir), "wx", 0o600))
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EEXIST") throw cause
    return false
  }
}

const lives = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EPERM"
  }
}

/**
 * A lock file that was deleted under a process which still runs is new to the next one, and
 * tells it nothing: what that process has said of itself does.
 */
const refuseBesideLiving = Effect.fnUntraced(function* (dataDir: string) {
  const occupant = yield* readOccupant(dataDir)
  if (occupant.pid === null || occupant.pid === process.pid || !lives(occupant.pid)) return
  rmSync(lockFile(dataDir), { force: true })
  return yield* new DataDirectoryInUse({ dataDir, ...occupant })
})

/** Which file the name leads to now; `undefined`: to none. */
const fileAt = (path: string): bigint | undefined => statSync(path, { bigint: true, throwIfNoEntry: false })?.ino

/** Milliseconds between two looks at whether the lock is still there. Another process needs longer than this to open the database. */
const lookMillis = 250

/** `undefined`: somebody else has it. */
const tryLock = (dataDir: string, patienceMillis: number): DatabaseSync | undefined => {
  const database = new DatabaseSync(lockFile(dataDir))
  try {
    database.exec(`pragma busy_timeout = ${patienceMillis}; begin exclusive`)
    return database
  } catch (cause) {
    database.close()
    if ((cause as { readonly errcode?: number }).errcode === sqliteBusy) return undefined
    throw cause
  }
}

const unlock = (dataDir: string, database: DatabaseSync): Effect.Effect<void> =>
  Effect.sync(() => {
    try {
      rmSync(serviceFile(dataDir), { force: true })
    } catch {
      // The folder may be gone, or closed to us, by now; whoever comes next has the lock.
    }
    database.close()
  })

const lock = Effect.fnUntraced(function* (dataDir: string) {
  const unusable = (cause: unknown) => new DataDirectoryUnusable({ dataDir, reason: reasonOf(cause) })
  const isNew = yield* Effect.try({ try: () => prepareFolder(dataDir), catch: unusable })
  if (isNew) yield* refuseBesideLiving(dataDir)
  const database = yield* Effect.try({ try: () => tryLock(dataDir, lockPatienceMillis), catch: unusable })
  if (database !== undefined) return database
  const occupant = yield* readOccupant(dataDir)
  return yield* new DataDirectoryInUse({ dataDir, ...occupant })
})

export class DataDirectory extends Context.Service<
  DataDirectory,
  {
    /** Absolute. */
    readonly path: string
    /** Says where this service listens, until the scope closes: the CLI finds it by this. */
    readonly announce: (url: string) => Effect.Effect<void, DataDirectoryUnusable, Scope.Scope>
    /** Completes, with the reason, when the lock is gone: another process may have the directory by now. */
    readonly lost: Effect.Effect<string>
  }
>()("effect-wallet/stores/pglite/DataDirectory") {
  /** Makes the directory where it is missing (mode 0700) and has it until the scope closes, or until its lock is taken away. */
  static readonly make = Effect.fnUntraced(function* (dataDir: string) {
    const path = resolve(dataDir)
    yield* Effect.acquireRelease(lock(path), (database) => unlock(path, database))
    const write = (url: string | null) => writeOccupant(path, { pid: process.pid, url })
    yield* write(null)
    const announce = (url: string) => Effect.acquireRelease(write(url), () => Effect.ignore(write(null)))
    const file = fileAt(lockFile(path))
    const lost = Effect.gen(function* () {
      while (fileAt(lockFile(path)) === file) yield* Effect.sleep(lookMillis)
      return `the lock file of the data directory ${path} was deleted or replaced while this process had it`
    })
    return DataDirectory.of({ path, announce, lost })
  })

  static readonly layer = (dataDir: string): Layer.Layer<DataDirectory, DataDirectoryInUse | DataDirectoryUnusable> =>
    Layer.effect(DataDirectory, DataDirectory.make(dataDir))

  /** Who has the directory now; `undefined`: nobody. Looks, and leaves everything as it is. */
  static readonly occupant = Effect.fnUntraced(function* (dataDir: string) {
    const path = resolve(dataDir)
    const held = yield* Effect.try({
      try: () => {
        if (!existsSync(lockFile(path))) return false
        const database = tryLock(path, 0)
        database?.close()
        return database === undefined
      },
      // A directory that cannot be read has no service of ours in it.
      catch: reasonOf
    }).pipe(Effect.orElseSucceed(() => false))
    return held ? yield* readOccupant(path) : undefined
  })
}
