/**
 * The processes of one installation: there is one as a rule, none for a while after a
 * death, two while one takes over from another that does not know it yet.
 */
import type { SimulatedNode } from "./SimulatedNode.ts"
import { startNode } from "./SimulatedNode.ts"
import type { Trial } from "./Trial.ts"

/** A process that was replaced lives on for at most so long, ms. */
const zombieMillis = 5_000

/** What clocks step by, ms: less than what is tolerated, just more, and much more. */
const clockSteps = [2_000, -2_000, 6_000, -6_000, 3_600_000, -3_600_000, 90_000_000, -90_000_000]

/** Nodes that start at the same time. */
const startingMost = 2

export class SimulatedCluster {
  private readonly trial: Trial
  /** The last is the newest. */
  private nodes: Array<SimulatedNode> = []
  private latest: SimulatedNode | undefined = undefined
  private started = 0
  /** Nodes that have not come up yet. */
  private starting = 0
  takeovers = 0
  deaths = 0
  stops = 0
  /** Orderly stops that have not ended. */
  stopsPending = 0

  constructor(trial: Trial) {
    this.trial = trial
  }

  /** Where clients send to: mostly the newest that is up, sometimes one that was replaced. */
  pick(): SimulatedNode | undefined {
    const up = this.nodes.filter(({ engine, life, stopping }) => life.alive && engine !== undefined && !stopping)
    if (up.length > 1 && this.trial.random.chance(0.3)) return this.trial.random.pick(up)
    return up.at(-1)
  }

  newest(): SimulatedNode | undefined {
    return this.nodes.filter(({ engine, life, stopping }) => life.alive && engine !== undefined && !stopping).at(-1)
  }

  start(): void {
    this.starting++
    const node = startNode(this.trial, `node${++this.started}`, {
      takeOver: () => this.takeOver(),
      started: (started) => {
        this.starting--
        this.trial.failedStarts = 0
        this.retire(started)
        started.whenLost(() => this.trial.world.after(this.trial.random.below(2_000), () => this.stop(started, true)))
      },
      gone: (gone) => {
        if (gone.engine === undefined) {
          this.starting--
          this.trial.failedStarts++
        }
        this.deaths++
        this.nodes = this.nodes.filter((one) => one !== gone)
        // A supervisor starts the service again, whoever else may still be there.
        if (this.latest?.life.alive !== true) this.ensure()
      }
    })
    this.latest = node
    this.nodes.push(node)
  }

  /** Also while another one starts: then both claim. */
  takeOver(): boolean {
    if (this.starting >= startingMost) return false
    this.takeovers++
    this.start()
    return true
  }

  /** One take-over early on, whatever else happens. */
  beginWithTakeover(): void {
    const { random, world } = this.trial
    const attempt = () => {
      if (this.takeovers > 0 || this.trial.calm) return
      if (this.newest() === undefined) world.after(random.between(10, 300), attempt)
      else this.takeOver()
    }
    world.after(random.between(100, 1_500), attempt)
  }

  /** Kills, stops or replaces a node again and again, until all is calm. */
  disturb(): void {
    const { random, plan, world } = this.trial
    world.after(plan.replacementMillis * (0.2 + 1.6 * random.fraction()), () => {
      if (this.trial.calm) return
      const node = this.newest()
      const how = random.below(3)
      if (how === 0 && node !== undefined) node.kill()
      else if (how === 1 && node !== undefined) this.stop(node, true)
      else this.takeOver()
      this.disturb()
    })
  }

  /** Sets the clock of a node, or sets it right, again and again, until all is calm. */
  disturbClocks(): void {
    const { history, random, plan, world } = this.trial
    if (plan.clockStepMillis === undefined) return
    world.after(plan.clockStepMillis * 2 * random.fraction(), () => {
      if (this.trial.calm) return
      const alive = this.nodes.filter(({ life }) => life.alive)
      if (alive.length > 0) {
        const { life } = random.pick(alive)
        life.clockAhead = random.chance(0.3) ? 0 : life.clockAhead + random.pick(clockSteps)
        history.note(world.elapsed, life.name, `its clock is set ${life.clockAhead} ms ahead`)
      }
      this.disturbClocks()
    })
  }

  /** Now that all is calm. */
  setClocksRight(): void {
    for (const { life } of this.nodes) life.clockAhead = 0
  }

  /** In order. `replace`: perhaps another one starts before it has ended. */
  stop(node: SimulatedNode, replace: boolean): void {
    this.stops++
    this.stopsPending++
    let pending = true
    const over = () => {
      if (pending) this.stopsPending--
      pending = false
    }
    node.stop(over)
    // It may be killed while it stops.
    this.trial.world.after(zombieMillis * 10, () => {
      if (!node.life.alive) over()
    })
    if (replace && this.starting === 0 && this.trial.random.chance(0.5)) this.start()
  }

  /** Then a supervisor starts the service again. */
  killAll(): void {
    for (const node of this.nodes) node.kill()
  }

  /** Kills all but the latest. */
  clear(): void {
    for (const node of this.nodes.filter((one) => one !== this.latest)) node.kill()
    if (this.latest?.stopping === true) this.ensure()
  }

  /** Sees to it that a node comes up again. */
  private ensure(): void {
    const { random, world } = this.trial
    world.after(random.between(1, 600), () => {
      const isThere = this.latest?.life.alive === true && !this.latest.stopping
      if (!isThere && this.starting === 0) this.start()
    })
  }

  /** Those that were replaced find out, or are ended. */
  private retire(successor: SimulatedNode): void {
    const { random, world } = this.trial
    for (const node of this.nodes) {
      if (node === successor || node.stopping) continue
      world.after(random.between(1, zombieMillis), () => {
        if (!node.life.alive || node === this.latest) return
        if (random.chance(0.5)) this.stop(node, false)
        else node.kill()
      })
    }
  }
}
