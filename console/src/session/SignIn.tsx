/** Asks for a key, and says where one is. */
import { type FormEvent, useState } from "react"
import type { Session } from "./Session.ts"
import { isKey, keepKey, openSession } from "./Session.ts"
import { Problem } from "../parts/Basics.tsx"

export type Opened = Pick<Session, "client" | "scopes">

interface Props {
  readonly onOpen: (opened: Opened) => void
  /** Why the last session has ended. */
  readonly ended: Error | undefined
}

export const SignIn = ({ ended, onOpen }: Props) => {
  const [secret, setSecret] = useState("")
  const [error, setError] = useState<Error | undefined>(ended)
  const [isBusy, setBusy] = useState(false)
  const onSubmit = async (event: FormEvent) => {
    event.preventDefault()
    const given = secret.trim()
    if (!isKey(given)) return setError(new Error("A key is one word of visible ASCII characters."))
    setBusy(true)
    setError(undefined)
    try {
      const opened = await openSession(given)
      keepKey(given)
      onOpen(opened)
    } catch (failure) {
      setError(failure instanceof Error ? failure : new Error(String(failure)))
      setBusy(false)
    }
    return undefined
  }
  return (
    <main className="sign-in">
      <h1>effect-wallet</h1>
      <form onSubmit={(event) => void onSubmit(event)} noValidate>
        <label htmlFor="key">API key</label>
        <input
          id="key"
          type="password"
          value={secret}
          autoFocus
          autoComplete="off"
          spellCheck={false}
          aria-describedby="key-hint"
          onChange={(event) => setSecret(event.target.value)}
        />
        <button type="submit" className="primary" disabled={isBusy}>
          {isBusy ? "Looking …" : "Open"}
        </button>
        {error !== undefined && <Problem error={error} />}
        <p id="key-hint" className="hint">
          A service on embedded stores has left its first one in <code>.data/api-key</code>;{" "}
          <code>wallet keys create</code> makes others. <code>wallets:read</code> is enough to look. The key stays in
          this tab until it is closed.
        </p>
      </form>
    </main>
  )
}
