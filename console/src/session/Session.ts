/**
 * The key of the API, and what it may do. It is kept for as long as the tab is open (`sessionStorage`), in no address and
 * no cookie.
 */
import type * as Effect from "effect/Effect"
import { createContext, use } from "react"
import { type Api, type Client, makeClient } from "../api/Client.ts"
import { Failure } from "../api/Failure.ts"

const place = "effect-wallet.console.key"

export interface Scopes {
  readonly read: boolean
  readonly write: boolean
  readonly admin: boolean
}

export interface Session {
  readonly client: Client
  readonly scopes: Scopes
  readonly signOut: () => void
}

export const SessionContext = createContext<Session | undefined>(undefined)

export const useSession = (): Session => {
  const session = use(SessionContext)
  if (session === undefined) throw new Error("there is no session")
  return session
}

export const keptKey = (): string | null => window.sessionStorage.getItem(place)
export const keepKey = (secret: string): void => window.sessionStorage.setItem(place, secret)
export const forgetKey = (): void => window.sessionStorage.removeItem(place)

/** Visible ASCII, as a header takes it: anything else is a slip of whoever pastes. */
export const isKey = (secret: string): boolean => /^[\x21-\x7e]{1,1024}$/.test(secret)

/** A refusal for want of a scope says that it is wanting. What else may be wrong is wrong for all keys. */
const allowed = async <A, E>(client: Client, ask: (api: Api) => Effect.Effect<A, E>): Promise<boolean> => {
  try {
    await client.read(ask)
    return true
  } catch (error) {
    if (!(error instanceof Failure) || error.code === "Unauthorized" || error.code === "NoAnswer") throw error
    return error.code !== "Forbidden"
  }
}

/**
 * By three calls that change nothing: of an empty batch that is only tried, of the list of keys, and of one transfer.
 * Fails with the `Failure` when there is no such key, or no service.
 */
export const openSession = async (secret: string): Promise<{ readonly client: Client; readonly scopes: Scopes }> => {
  const client = makeClient(secret)
  const admin = await allowed(client, (api) => api.keys.list({ query: { limit: 1 } }))
  if (admin) return { client, scopes: { read: true, write: true, admin } }
  const [read, write] = await Promise.all([
    allowed(client, (api) => api.transfers.list({ query: { limit: 1 } })),
    allowed(client, (api) => api.batch.run({ query: { dryRun: true }, payload: { commands: [] } }))
  ])
  return { client, scopes: { read, write, admin } }
}
