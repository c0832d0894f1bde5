/**
 * What a PostgreSQL server's own processes do and PGlite leaves to us, on the thread where it
 * runs: sessions that speak the protocol, and the housekeeping between their statements.
 */
import type { PGlite } from "@electric-sql/pglite"

/** Longest message that is taken from a client, bytes: eight times what a batch may bring. */
export const maxMessageBytes = 64 * 1024 * 1024

/** Answers longer than this go out in pieces, bytes. */
const pieceBytes = 256 * 1024

const messageQuery = 0x51
const messageSync = 0x53
const messageTerminate = 0x58
const messageReadyForQuery = 0x5a
const statusIdle = 0x49

/** PGlite no longer answers as a server does: this instance is to be given up. */
export class PgliteBroken extends Error {
  override readonly name = "PgliteBroken"
}

/** Bytes of the first message in `bytes`, header included; `undefined` while its header is not there. */
export const messageLength = (bytes: Uint8Array, offset: number, startup: boolean): number | undefined => {
  const at = startup ? offset : offset + 1
  if (bytes.length < at + 4) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const length = view.getInt32(at)
  if (length < 4 || length > maxMessageBytes) throw new PgliteBroken(`a message of ${length} bytes is not taken`)
  return startup ? length : length + 1
}

const simpleQuery = (text: string): Uint8Array => {
  const body = new TextEncoder().encode(text)
  const message = new Uint8Array(body.length + 6)
  message[0] = messageQuery
  new DataView(message.buffer).setInt32(1, body.length + 5)
  message.set(body, 5)
  return message
}

const sync = Uint8Array.of(messageSync, 0, 0, 0, 4)
const rollback = simpleQuery("rollback")
const discardAll = simpleQuery("discard all")

export class PgliteSession {
  readonly #pglite: PGlite
  readonly #send: (bytes: Uint8Array<ArrayBuffer>) => void
  /** Whether the session is between transactions: the status of the last `ReadyForQuery`. */
  idle = true
  #startup = true
  #rest: Uint8Array | undefined

  /** `send` gets bytes of its own, which it may transfer. */
  constructor(pglite: PGlite, send: (bytes: Uint8Array<ArrayBuffer>) => void) {
    this.#pglite = pglite
    this.#send = send
  }

  /** Takes bytes cut anywhere; resolves when what is whole has run. Rejects with `PgliteBroken`. */
  async write(chunk: Uint8Array): Promise<void> {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    let offset = 0
    if (this.#startup) {
      const length = messageLength(bytes, 0, true)
      if (length !== undefined && bytes.length >= length) {
        this.#startup = false
        await this.#run(bytes.subarray(0, length), true)
        offset = length
      }
    }
    const begin = offset
    let last = 0
    while (!this.#startup && offset < bytes.length) {
      const length = messageLength(bytes, offset, false)
      if (length === undefined || offset + length > bytes.length) break
      last = bytes[offset] ?? 0
      if (last === messageTerminate) {
        offset = bytes.length
        break
      }
      offset += length
    }
    if (offset > begin && last !== messageTerminate) {
      await this.#run(bytes.subarray(begin, offset), last === messageSync || last === messageQuery)
    }
    this.#rest = offset < bytes.length ? bytes.slice(offset) : undefined
  }

  /** Leaves the database as a fresh session finds it: nothing open, nothing prepared, no setting changed. */
  async reset(): Promise<void> {
    this.#rest = undefined
    // The Sync first: after an error the server skips everything up to one.
    for (const message of [sync, rollback, discardAll]) await this.#execute(message, true, () => undefined)
  }

  async #run(message: Uint8Array, answered: boolean): Promise<void> {
    let pieces: Array<Buffer> = []
    let bytes = 0
    const flush = () => {
      if (bytes === 0) return
      const joined = new Uint8Array(bytes)
      let offset = 0
      for (const piece of pieces) {
        joined.set(piece, offset)
        offset += piece.length
      }
      pieces = []
      bytes = 0
      this.#send(joined)
    }
    await this.#execute(message, answered, (data) => {
      // `data` is a window on memory that PGlite uses again: copy.
      pieces.push(Buffer.from(data))
      bytes += data.length
      if (bytes >= pieceBytes) flush()
    })
    flush()
  }

  async #execute(message: Uint8Array, answered: boolean, onData: (data: Uint8Array) => void): Promise<void> {
    let tail = new Uint8Array(0)
    await this.#pglite.execProtocolRawStream(message, {
      // The file system underneath writes through; there is nothing to flush.
      syncToFs: false,
      onRawData: (data) => {
        tail = data.length >= 6 ? data.slice(-6) : Buffer.concat([tail, data]).subarray(-6)
        onData(data)
      }
    })
    if (!answered) {
      this.idle = false
      return
    }
    if (tail.length < 6 || tail[0] !== messageReadyForQuery)
      throw new PgliteBroken("PGlite ended a cycle without an answer")
    this.idle = tail[5] === statusIdle
  }
}

/** A look costs about a millisecond: one per so many cycles of the client, or so many bytes from it. */
const cyclesPerLook = 128
const bytesPerLook = 8 * 1024 * 1024

/** A checkpoint after this much write-ahead log, bytes: recovery reads at most about as much. */
export const checkpointBytes = 64 * 1024 * 1024

/** As `autovacuum_freeze_max_age`. */
const freezeAge = 200_000_000

/** Server settings that go with it: what a checkpoint leaves of the log. */
export const housekeepingSettings: Readonly<Record<string, string>> = {
  min_wal_size: "32MB",
  max_wal_size: "96MB"
}

interface Due {
  readonly checkpoint: boolean
  readonly freeze: boolean
  readonly table: string | null
  readonly vacuum: boolean | null
}

/** Autovacuum's own defaults, so that a table is kept as a server would keep it. */
const dueQuery = `
  select
    pg_wal_lsn_diff(pg_current_wal_insert_lsn(), (pg_control_checkpoint()).redo_lsn) > ${checkpointBytes} as checkpoint,
    (select age(datfrozenxid) > ${freezeAge} from pg_database where datname = current_database()) as freeze,
    t.name as table, t.vacuum
  from (select 1) one left join lateral (
    select
      format('%I.%I', s.schemaname, s.relname) as name,
      s.n_dead_tup > 50 + 0.2 * greatest(c.reltuples, 0)
        or s.n_ins_since_vacuum > 1000 + 0.2 * greatest(c.reltuples, 0) as vacuum
    from pg_stat_user_tables s join pg_class c on c.oid = s.relid
    where s.n_dead_tup > 50 + 0.2 * greatest(c.reltuples, 0)
      or s.n_ins_since_vacuum > 1000 + 0.2 * greatest(c.reltuples, 0)
      or s.n_mod_since_analyze > 50 + 0.1 * greatest(c.reltuples, 0)
    order by s.n_mod_since_analyze desc limit 1
  ) t on true`

export class PgliteHousekeeping {
  readonly #pglite: PGlite
  #cycles = 0
  #bytes = 0

  constructor(pglite: PGlite) {
    this.#pglite = pglite
  }

  /** Tells of a cycle of the client, and how many bytes it brought. */
  cycle(bytes: number): void {
    this.#cycles++
    this.#bytes += bytes
  }

  /** Does what is due, if it is time to look. No transaction may be open. */
  async turn(): Promise<void> {
    if (this.#cycles < cyclesPerLook && this.#bytes < bytesPerLook) return
    this.#cycles = 0
    this.#bytes = 0
    const { rows } = await this.#pglite.query<Due>(dueQuery)
    const [due] = rows
    if (due === undefined) return
    if (due.checkpoint) await this.#pglite.exec("checkpoint")
    if (due.freeze) await this.#pglite.exec("vacuum (freeze)")
    if (due.table !== null)
      await this.#pglite.exec(`${due.vacuum === true ? "vacuum (analyze)" : "analyze"} ${due.table}`)
  }
}
