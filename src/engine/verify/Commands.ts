/**
 * The commands of one wallet as its events tell them, in order: the events of one have one
 * key, no other has the same, and no id is there twice.
 */
import type { RecordedEvent } from "../../domain/Event.ts"
import { type Difference, logDifference } from "./Report.ts"

/** Values of one wallet, so that one that comes again is noticed; up to a bound. */
class Seen {
  readonly #bound: number
  readonly #inOrder: Array<string> = []
  #all: Set<string> | undefined
  #last = ""

  constructor(bound: number) {
    this.#bound = bound
  }

  /** Whether it comes for the first time. Values that go up are new without a look: ids begin with their time. */
  isNew(value: string): boolean {
    if (this.#all === undefined) {
      if (value > this.#last) {
        this.#last = value
        if (this.#inOrder.length < this.#bound) this.#inOrder.push(value)
        return true
      }
      this.#all = new Set(this.#inOrder)
    }
    const before = this.#all.size
    if (before >= this.#bound) return !this.#all.has(value)
    return this.#all.add(value).size > before
  }
}

export class CommandTrail {
  readonly #ids: Seen
  readonly #keys: Seen
  #key: string | undefined
  #commandId: string | undefined
  /** How many commands. */
  commands = 0

  /** `bound`: of ids and of keys remembered. */
  constructor(bound: number) {
    this.#ids = new Seen(bound)
    this.#keys = new Seen(bound)
  }

  /** The next event. `undefined`: nothing is wrong. */
  follow({ id, metadata, version, walletId }: RecordedEvent): Difference | undefined {
    const { commandId, key } = metadata
    const goesOn = commandId === this.#commandId
    const expectedKey = this.#key
    const isNewId = this.#ids.isNew(id)
    const isNewKey = goesOn || this.#keys.isNew(key)
    this.#key = key
    this.#commandId = commandId
    if (!goesOn) this.commands += 1
    if (goesOn && key !== expectedKey) return logDifference(walletId, `key of event ${version}`, expectedKey!, key)
    if (!isNewKey) return logDifference(walletId, `key of event ${version}`, "a key of its own", `again ${key}`)
    return isNewId ? undefined : logDifference(walletId, `id of event ${version}`, "an id of its own", `again ${id}`)
  }
}
