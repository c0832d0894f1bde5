/**
 * Commands that were sent and of which it is not known what came of them: with their keys, in the tab's session, so that
 * neither a closed form nor a reload of the page makes anybody send one again under a new key.
 */
import { useSyncExternalStore } from "react"
import type { Command } from "./Command.ts"

export interface Pending {
  readonly key: string
  readonly command: Command
  /** Milliseconds, when it was first sent. */
  readonly sentAt: number
}

const place = "effect-wallet.console.pending"

/** A person has a few at most; a page that has more is broken, and sends no more. */
export const maxPending = 50

const isPending = (value: unknown): value is Pending =>
  typeof value === "object" &&
  value !== null &&
  "key" in value &&
  typeof value.key === "string" &&
  "sentAt" in value &&
  typeof value.sentAt === "number" &&
  "command" in value &&
  typeof value.command === "object" &&
  value.command !== null &&
  "act" in value.command

/** What another page has left there under this name is nothing of ours. */
const read = (): ReadonlyArray<Pending> => {
  const text = window.sessionStorage.getItem(place)
  if (text === null) return []
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? value.filter(isPending) : []
  } catch {
    return []
  }
}

let known = read()
/** Keys of forms that are open: they tell themselves what came of them. */
const inForms = new Set<string>()
let shown = known
const listeners = new Set<() => void>()

const tell = (): void => {
  shown = known.filter(({ key }) => !inForms.has(key))
  for (const listener of listeners) listener()
}

const write = (next: ReadonlyArray<Pending>): void => {
  window.sessionStorage.setItem(place, JSON.stringify(next))
  known = next
  tell()
}

/** While a form with this key is open; gives what ends it. */
export const holdForm = (key: string): (() => void) => {
  inForms.add(key)
  tell()
  return () => {
    inForms.delete(key)
    tell()
  }
}

/** Before it is sent: throws when it cannot be kept, and then it must not be. */
export const keepPending = (pending: Pending): void => {
  if (known.some(({ key }) => key === pending.key)) return
  if (known.length >= maxPending) throw new Error(`${maxPending} commands have an unknown outcome: settle them first`)
  write([...known, pending])
}

/** It is known now what came of it. */
export const settlePending = (key: string): void => write(known.filter((one) => one.key !== key))

const subscribe = (listener: () => void): (() => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Of no form that is open. */
export const usePending = (): ReadonlyArray<Pending> => useSyncExternalStore(subscribe, () => shown)

/** A key that nobody has had. `randomUUID` is there only where the page came over TLS or from this machine. */
export const newKey = (): string => {
  const bytes = window.crypto.getRandomValues(new Uint8Array(16))
  return `console-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`
}
