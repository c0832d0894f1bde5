/**
 * What PostgreSQL's background processes do on a server and nobody does in
 * PGlite: checkpoints, without which the write-ahead log grows for ever and a
 * start after a kill takes ever longer; and vacuum and analyze, without which
 * plans are made for empty tables and transaction ids run out.
 *
 * It runs between two statements and holds them up: a checkpoint takes tens of
 * milliseconds, a table's turn some 300 ms per million new rows.
 */
import type { PGlite } from "@electric-sql/pglite"

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
