/** Sends a command under its key, and says what is known of it then. */
import { type Client, now } from "../api/Client.ts"
import { Failure } from "../api/Failure.ts"
import { type Command, type Outcome, perform } from "./Command.ts"
import { keepPending, type Pending, settlePending } from "./Pending.ts"

/** `refused`: nothing has happened. `ended`: it was undone, for good. `unknown`: only the same command and key tell. */
export type Sent =
  | { readonly result: "done"; readonly outcome: Outcome }
  | { readonly result: "refused" | "ended" | "unknown"; readonly failure: Failure }

const failureFrom = (error: unknown): Failure => {
  if (error instanceof Failure) return error
  throw error
}

const send = async (client: Client, { command, key }: Pending, again: boolean): Promise<Sent> => {
  try {
    const outcome = await client.act((api) => perform(api, command, key, false))
    settlePending(key)
    return { result: "done", outcome }
  } catch (error) {
    const failure = failureFrom(error)
    if (failure.meaning === "unknown" || (again && !failure.settles)) return { result: "unknown", failure }
    settlePending(key)
    return { result: failure.meaning === "ended" ? "ended" : "refused", failure }
  }
}

/** It is kept before it leaves, so that whatever becomes of this page the next one knows its key. */
export const sendFirst = (client: Client, command: Command, key: string): Promise<Sent> => {
  const pending = { key, command, sentAt: now() }
  keepPending(pending)
  return send(client, pending, false)
}

export const sendAgain = (client: Client, pending: Pending): Promise<Sent> => send(client, pending, true)

/** What it would come to now. */
export const tryFirst = async (client: Client, command: Command, key: string): Promise<Sent> => {
  try {
    return { result: "done", outcome: await client.act((api) => perform(api, command, key, true)) }
  } catch (error) {
    return { result: "refused", failure: failureFrom(error) }
  }
}
