/**
 * Worker thread: PGlite and the sessions that the main thread holds with it.
 *
 * One session at a time, as PGlite has one. Whatever breaks PGlite ends this
 * thread: the main thread sees its sessions close and starts another one.
 */
import { PGlite } from "@electric-sql/pglite"
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { parentPort, workerData } from "node:worker_threads"
import { PgliteHousekeeping, housekeepingSettings, PgliteBroken, PgliteSession } from "./Server.ts"
import type { PgliteAnswer, PgliteOrder, PgliteWorkerOptions } from "./Thread.ts"

const options = workerData as PgliteWorkerOptions
const port = parentPort
if (port === null) throw new Error("this file is the entry of a worker thread")

const answer = (message: PgliteAnswer, transfer: Array<ArrayBuffer> = []): void => port.postMessage(message, transfer)

const reasonOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

const startParams = [
  // PGlite's own list sets search_path=public; the last one on a command line stands.
  ...PGlite.defaultStartParams,
  ...Object.entries({ ...housekeepingSettings, ...options.settings }).flatMap(([name, value]) => [
    "-c",
    `${name}=${value}`
  ])
]

const remedy = "put it back from a backup, or move it away to begin with an empty one"

/** What every database has, and PGlite would make anew over what else is there. */
const marks = ["PG_VERSION", join("global", "pg_control")]

const refuseDamaged = (folder: string): void => {
  if (!statSync(folder).isDirectory()) throw new Error(`it is a file: nothing was changed; ${remedy}`)
  const missing = marks.filter((mark) => !existsSync(join(folder, mark)))
  if (missing.length === 0) return
  throw new Error(
    `it is not empty, and not a whole database (${missing.join(" and ")} is missing): nothing was changed; ${remedy}`
  )
}

/** An empty folder, as somebody may have made it, is none yet. */
const isAbsent = (folder: string): boolean =>
  !existsSync(folder) || (statSync(folder).isDirectory() && readdirSync(folder).length === 0)

/**
 * A folder is either absent or a whole database: `initdb` works in a folder
 * beside it, which is renamed when it is done.
 */
const openFolder = async (folder: string): Promise<PGlite> => {
  if (!isAbsent(folder)) refuseDamaged(folder)
  else {
    const fresh = `${folder}.new`
    rmSync(fresh, { recursive: true, force: true })
    mkdirSync(fresh, { mode: 0o700, recursive: true })
    const pglite = await PGlite.create(fresh, { startParams })
    await pglite.close()
    renameSync(fresh, folder)
  }
  return await PGlite.create(folder, { startParams }).catch((cause: unknown) => {
    // PostgreSQL ends with a word on a console that is not there.
    throw new Error(`PGlite gives up on it (${reasonOf(cause)}): it is damaged, or of another PGlite; ${remedy}`)
  })
}

const open = (): Promise<PGlite> =>
  options.folder === undefined ? PGlite.create("memory://", { startParams }) : openFolder(options.folder)

const serve = (pglite: PGlite): void => {
  const housekeeping = new PgliteHousekeeping(pglite)
  let current: { readonly id: number; readonly session: PgliteSession } | undefined

  const sessionOf = (id: number): PgliteSession => {
    if (current === undefined) {
      const send = (bytes: Uint8Array<ArrayBuffer>) => answer({ _tag: "Data", session: id, bytes }, [bytes.buffer])
      current = { id, session: new PgliteSession(pglite, send) }
    }
    // The main thread ends a session before it opens the next.
    if (current.id !== id) throw new PgliteBroken(`session ${id} came while ${current.id} was open`)
    return current.session
  }

  const obey = async (order: PgliteOrder): Promise<void> => {
    switch (order._tag) {
      case "Data":
        await sessionOf(order.session).write(order.bytes)
        housekeeping.cycle(order.bytes.length)
        if (current?.session.idle === true) await housekeeping.turn()
        return
      case "End":
        if (current?.id === order.session) await current.session.reset()
        current = undefined
        return answer({ _tag: "Ended", session: order.session })
      case "Close":
        await current?.session.reset()
        await pglite.close()
        answer({ _tag: "Closed" })
        return port.close()
    }
  }

  let queue = Promise.resolve()
  port.on("message", (order: PgliteOrder) => {
    queue = queue
      .then(() => obey(order))
      .catch((cause: unknown) => {
        answer({ _tag: "Failed", reason: reasonOf(cause) })
        process.exit(1)
      })
  })
}

try {
  serve(await open())
  answer({ _tag: "Ready" })
} catch (cause) {
  answer({ _tag: "Failed", reason: reasonOf(cause) })
  port.close()
}
