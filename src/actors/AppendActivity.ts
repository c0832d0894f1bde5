/**
 * What this node appends: how much an append gathers, and which wallets have the most of it, in the last minute or two.
 * It is told once an append, never once a command; who has the most is kept in memory that does not grow with how many
 * there are.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type Commit, eventsWith } from "../domain/Commit.ts"

export interface HeavyHitter {
  readonly name: string
  readonly weight: number
}

/**
 * Who has the most of something, in memory that does not grow with how many there are (Misra and Gries): a counter each
 * for `counters` names, and where another name comes, all give way by the least. Of each name that it tells at least
 * `weight` have come and at most `weight + error`, and no other name has had more than `error`; `error` is at most
 * `total / (counters + 1)`. An addition costs one look into a map; giving way is paid for by what came before.
 */
export class HeavyHitters {
  private readonly counted = new Map<string, number>()
  private readonly counters: number
  /** Of all names. */
  total = 0
  /** What each name may have had beyond its counter. */
  error = 0

  constructor(counters: number) {
    this.counters = counters
  }

  /** `weight`: at least 1. */
  add(name: string, weight: number): void {
    const { counted } = this
    this.total += weight
    const known = counted.get(name)
    if (known !== undefined) counted.set(name, known + weight)
    else if (counted.size < this.counters) counted.set(name, weight)
    else this.giveWay(name, weight)
  }

  private giveWay(name: string, weight: number): void {
    const { counted } = this
    let least = weight
    for (const one of counted.values()) if (one < least) least = one
    this.error += least
    for (const [one, has] of counted) {
      if (has === least) counted.delete(one)
      else counted.set(one, has - least)
    }
    if (weight > least) counted.set(name, weight - least)
  }

  /** The heaviest first, at most `count`. */
  top(count: number): ReadonlyArray<HeavyHitter> {
    return [...this.counted]
      .map(([name, weight]) => ({ name, weight }))
      .sort((one, other) => other.weight - one.weight)
      .slice(0, count)
  }
}

/** Milliseconds that are counted together; what is told is of the part that runs and of the one before. */
const partMillis = 60_000

/** Wallets that have a counter, some 100 bytes each: one with more than 1/257 of a minute's events is among them. */
const counters = 256

/**
 * Of an append that gathers more commits, so many are looked at, each for several: a look takes a microsecond or two, and
 * a wallet that is in every append is met often enough in a minute.
 */
const commitsLookedAt = 16

/** Appends are counted by their wallets: 1, 2, up to 4, up to 8 … */
const sizes = 16

class Part {
  readonly since: number
  readonly wallets = new HeavyHitters(counters)
  readonly bySize = Array.from({ length: sizes }, () => 0)
  appends = 0
  commits = 0
  events = 0

  constructor(since: number) {
    this.since = since
  }

  add(commits: ReadonlyArray<Commit>): void {
    let wallets = 0
    for (const commit of commits) {
      wallets += 1 + (commit.joint?.commits.length ?? 0)
      this.events += eventsWith(commit)
    }
    const step = Math.ceil(commits.length / commitsLookedAt)
    // Not the same place in every append.
    for (let place = (this.appends * 31) % step; place < commits.length; place += step) {
      const { events, joint, walletId } = commits[place]!
      this.wallets.add(walletId, events.length * step)
      if (joint !== undefined) for (const one of joint.commits) this.wallets.add(one.walletId, one.events.length * step)
    }
    this.appends++
    this.commits += wallets
    this.bySize[Math.min(sizes - 1, 32 - Math.clz32(wallets - 1))]! += 1
  }
}

export interface ActivityView {
  /** Milliseconds: when the counting began. */
  readonly since: number
  readonly appends: number
  readonly events: number
  /** Wallets of all these appends, as often as they were in one. */
  readonly wallets: number
  /** Appends of more wallets than the one before says, and at most so many; those that there were. */
  readonly sizes: ReadonlyArray<{ readonly atMost: number; readonly appends: number }>
  /** By events, the most first. */
  readonly hottest: ReadonlyArray<HeavyHitter>
  /**
   * A wallet may have had so many events more than is told of it, and one that is not told of no more than that. Of
   * appends of more than 16 wallets it is a sample that is counted, so that all of it is about.
   */
  readonly error: number
}

export class AppendActivity extends Context.Service<
  AppendActivity,
  {
    /** Synchronous. `now`: milliseconds. */
    readonly appending: (commits: ReadonlyArray<Commit>, now: number) => void
    readonly view: (limit: number) => ActivityView
  }
>()("effect-wallet/actors/AppendActivity") {
  static readonly layer = Layer.effect(
    AppendActivity,
    Effect.map(Clock.Clock, (clock) => {
      let running = new Part(clock.currentTimeMillisUnsafe())
      let before: Part | undefined
      const turn = (now: number) => {
        if (now - running.since < partMillis) return
        before = now - running.since < 2 * partMillis ? running : undefined
        running = new Part(now)
      }
      return AppendActivity.of({
        appending: (commits, now) => {
          turn(now)
          running.add(commits)
        },
        view: (limit) => {
          turn(clock.currentTimeMillisUnsafe())
          return viewOf(before === undefined ? [running] : [before, running], limit)
        }
      })
    })
  )
}

const sumOf = (parts: ReadonlyArray<Part>, of: (part: Part) => number): number =>
  parts.reduce((sum, part) => sum + of(part), 0)

const viewOf = (parts: ReadonlyArray<Part>, limit: number): ActivityView => {
  const weights = new Map<string, number>()
  for (const { wallets } of parts) {
    for (const { name, weight } of wallets.top(counters)) weights.set(name, (weights.get(name) ?? 0) + weight)
  }
  return {
    since: parts[0]!.since,
    appends: sumOf(parts, ({ appends }) => appends),
    events: sumOf(parts, ({ events }) => events),
    wallets: sumOf(parts, ({ commits }) => commits),
    sizes: Array.from({ length: sizes }, (_, size) => ({
      atMost: 2 ** size,
      appends: sumOf(parts, ({ bySize }) => bySize[size]!)
    })).filter(({ appends }) => appends > 0),
    hottest: [...weights]
      .map(([name, weight]) => ({ name, weight }))
      .sort((one, other) => other.weight - one.weight)
      .slice(0, limit),
    error: sumOf(parts, ({ wallets }) => wallets.error)
  }
}
