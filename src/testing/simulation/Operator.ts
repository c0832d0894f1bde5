/**
 * What those who run an installation do to the store behind a log of its own: bring in a rule
 * of theirs later, lose its rows, put it back to an earlier copy, and let a rule pass what it
 * refuses and nobody may reverse.
 */
import { partitionOf } from "../../domain/Partition.ts"
import type { RecordedEvent } from "../../domain/Event.ts"
import type { MemoryState, UserRule } from "../../stores/memory/MemoryDatabase.ts"
import { partitions } from "./FaultPlan.ts"
import type { SimulatedCluster } from "./SimulatedCluster.ts"
import type { Trial } from "./Trial.ts"
import { isUnlucky, reasonOfRefusal } from "./UserRule.ts"

/** All rows of Persistence but API keys and the installation's own. */
const rows = [
  "persisted",
  "wallets",
  "transactionsByWallet",
  "refunds",
  "holds",
  "transfers",
  "keys",
  "keySegments",
  "refusals",
  "checkpoints"
] as const satisfies ReadonlyArray<keyof MemoryState>

type Copy = Pick<MemoryState, (typeof rows)[number] | "transactions" | "persistedLog">

const copyOfRow = (row: unknown): unknown =>
  Array.isArray(row) ? [...row] : row instanceof Map ? new Map(row as Map<unknown, unknown>) : row

const copyOfMap = (map: ReadonlyMap<string, unknown>): Map<string, unknown> =>
  new Map(Array.from(map, ([name, row]) => [name, copyOfRow(row)]))

const copyOf = (state: MemoryState): Copy => {
  // Each map under its own name again, which `fromEntries` does not tell.
  const maps = Object.fromEntries(rows.map((name) => [name, copyOfMap(state[name])]))
  return { ...(maps as unknown as Copy), transactions: [...state.transactions], persistedLog: state.persistedLog }
}

const putBack = (state: MemoryState, copy: Copy): void => {
  for (const name of rows) {
    const map = state[name] as Map<string, unknown>
    map.clear()
    for (const [key, row] of copyOfMap(copy[name])) map.set(key, row)
  }
  state.transactions.splice(0, Infinity, ...copy.transactions)
  state.persistedLog = copy.persistedLog
}

/** The events of the wallet's first command that has no rows. */
const nextOf = ({ persisted }: MemoryState, walletId: string, events: ReadonlyArray<RecordedEvent>) => {
  const rest = events.slice(persisted.get(walletId)?.length ?? 0)
  return rest.filter(({ metadata }) => metadata.commandId === rest[0]!.metadata.commandId)
}

const isReversed = (events: ReadonlyArray<RecordedEvent>, version: number): boolean =>
  events.some(({ event }) => event._tag === "OperationReversed" && event.reversedVersion === version)

/** The rule as it stands: what is history has been let pass, but for what the log has reversed meanwhile. */
const ruleOf =
  ({ streams }: MemoryState, letPass: ReadonlySet<string>): UserRule =>
  ({ events, walletId }) => {
    const isRefused = ({ event, id, version }: RecordedEvent) =>
      isUnlucky(event) && (!letPass.has(id) || isReversed(streams.get(walletId)!, version))
    return events.some(isRefused) ? reasonOfRefusal : undefined
  }

export class Operator {
  private readonly trial: Trial
  private readonly cluster: SimulatedCluster
  private readonly letPass = new Set<string>()

  constructor(trial: Trial, cluster: SimulatedCluster) {
    this.trial = trial
    this.cluster = cluster
  }

  start(): void {
    const { plan, random, state, world } = this.trial
    if (plan.refusalRate > 0) {
      const bringIn = () => {
        state.rule = ruleOf(state, this.letPass)
        this.note("a rule refuses what is unlucky")
      }
      if (plan.lateRule) world.after(random.between(2_000, 30_000), bringIn)
      else bringIn()
    }
    if (!plan.separate) return
    if (plan.lossMillis !== undefined) this.loseAfter(plan.lossMillis)
    this.watch()
  }

  /** Rows are lost: the service is stopped hard, a copy of some time ago or none is put back, and it starts again. */
  private loseAfter(millis: number): void {
    const { random, state, world } = this.trial
    const copy = random.chance(0.3) ? undefined : copyOf(state)
    world.after(millis * (0.2 + 1.6 * random.fraction()), () => {
      if (this.trial.calm) return
      this.cluster.killAll()
      // What is still on its way to the store that was lost never arrives.
      this.trial.losses++
      const empty = { ...copyOf(state), transactions: [], persistedLog: undefined }
      for (const name of rows) empty[name].clear()
      putBack(state, copy ?? empty)
      this.trial.monitor.rowsLost()
      this.note(copy === undefined ? "all rows are lost" : "an earlier copy of the rows is put back")
      this.loseAfter(millis)
    })
  }

  /** Looks for wallets that have stopped at an event that may have been persisted, and has the rule let it pass. */
  private watch(): void {
    const { random, state, world } = this.trial
    world.after(random.between(1_000, 4_000), () => {
      for (const [walletId, events] of state.streams) {
        const command = nextOf(state, walletId, events)
        const first = command.find(({ event, id }) => isUnlucky(event) && !this.letPass.has(id))
        // One that the log has reversed is refused again, and nobody is asked.
        if (first === undefined || !this.isHistory(first)) continue
        if (command.some(({ version }) => isReversed(events, version))) continue
        for (const { id } of command) this.letPass.add(id)
        this.note(`the rule lets event ${first.version} of ${walletId} pass`)
      }
      this.watch()
    })
  }

  /** What a living process has appended and never persisted is for that one to reverse, and so is what nobody was allowed to persist. */
  private isHistory({ id, metadata, version, walletId }: RecordedEvent): boolean {
    const { monitor, state } = this.trial
    if (monitor.wasPersisted(walletId, version)) return true
    if (metadata.epoch === state.claims.get(partitionOf(walletId, partitions))) return false
    const position = state.log.find(({ recorded }) => recorded.id === id)!.position
    const owner = this.cluster.newest()?.owner
    for (const [name, raised] of state.highWatermarks) if (name !== owner && raised >= position) return true
    return false
  }

  private note(what: string): void {
    const { history, world } = this.trial
    history.note(world.elapsed, "operator", what)
  }
}
