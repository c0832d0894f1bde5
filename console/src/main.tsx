/** Where the console begins: a session, then the pages. */
import { QueryCache, QueryClient, QueryClientProvider } from "@tanstack/react-query"
import { RouterProvider } from "@tanstack/react-router"
import { StrictMode, useCallback, useEffect, useMemo, useState } from "react"
import { createRoot } from "react-dom/client"
import { Failure } from "./api/Failure.ts"
import { Problem } from "./parts/Basics.tsx"
import { router } from "./router.tsx"
import { forgetKey, isKey, keptKey, openSession, SessionContext } from "./session/Session.ts"
import { type Opened, SignIn } from "./session/SignIn.tsx"
import "./console.css"

/** Of what may pass by itself, and of nothing else. */
const retries = 2
const shouldRetry = (count: number, error: Error): boolean =>
  error instanceof Failure && error.retryable && count < retries

const makeQueries = (onEnd: (error: Failure) => void): QueryClient =>
  new QueryClient({
    queryCache: new QueryCache({
      onError: (error) => {
        if (error instanceof Failure && error.code === "Unauthorized") onEnd(error)
      }
    }),
    // Failures of the network are seen by asking: a service on this machine is there without any.
    defaultOptions: { queries: { retry: shouldRetry, networkMode: "always", gcTime: 120_000 } }
  })

type State =
  | { readonly at: "opening"; readonly secret: string }
  | { readonly at: "stuck"; readonly secret: string; readonly error: Error }
  | { readonly at: "out"; readonly error?: Error }
  | { readonly at: "in"; readonly opened: Opened }

const initial = (): State => {
  const secret = keptKey()
  return secret !== null && isKey(secret) ? { at: "opening", secret } : { at: "out" }
}

/** The key of before a reload: only that it is no key any more sends back to the beginning. */
const useOpened = () => {
  const [state, setState] = useState<State>(initial)
  useEffect(() => {
    if (state.at !== "opening") return undefined
    let isOver = false
    const next = (found: State) => {
      if (!isOver) setState(found)
    }
    openSession(state.secret)
      .then((opened) => next({ at: "in", opened }))
      .catch((error: unknown) => {
        const failure = error instanceof Error ? error : new Error(String(error))
        const isNone = failure instanceof Failure && failure.code === "Unauthorized"
        if (isNone) forgetKey()
        next(isNone ? { at: "out", error: failure } : { at: "stuck", secret: state.secret, error: failure })
      })
    return () => void (isOver = true)
  }, [state])
  return [state, setState] as const
}

const Console = () => {
  const [state, setState] = useOpened()
  const leave = useCallback(
    (error?: Error) => {
      forgetKey()
      setState(error === undefined ? { at: "out" } : { at: "out", error })
    },
    [setState]
  )
  const opened = state.at === "in" ? state.opened : undefined
  const session = useMemo(
    () => (opened === undefined ? undefined : { ...opened, queries: makeQueries(leave), signOut: () => leave() }),
    [leave, opened]
  )
  if (state.at === "stuck") {
    return (
      <main className="sign-in">
        <h1>effect-wallet</h1>
        <Problem error={state.error} onRetry={() => setState({ at: "opening", secret: state.secret })} />
        <button type="button" onClick={() => leave()}>
          Another key
        </button>
      </main>
    )
  }
  if (state.at === "out") {
    return <SignIn ended={state.error} onOpen={(next) => setState({ at: "in", opened: next })} />
  }
  if (session === undefined) return <p className="quiet opening">Opening …</p>
  return (
    <SessionContext value={session}>
      <QueryClientProvider client={session.queries}>
        <RouterProvider router={router} />
      </QueryClientProvider>
    </SessionContext>
  )
}

const root = document.getElementById("root")
if (root === null) throw new Error("the page has no root")
createRoot(root).render(
  <StrictMode>
    <Console />
  </StrictMode>
)
