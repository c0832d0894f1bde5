/** What stands around every page. */
import { Link, Outlet } from "@tanstack/react-router"
import { PendingBar } from "./acts/PendingBar.tsx"
import { usePending } from "./acts/Pending.ts"
import { type Scopes, useSession } from "./session/Session.ts"

const scopeText = ({ admin, read, write }: Scopes): string =>
  admin ? "admin" : [read ? "read" : "", write ? "write" : ""].filter((one) => one !== "").join(" + ") || "no scope"

export const Shell = () => {
  const { scopes, signOut } = useSession()
  const pending = usePending().length
  const onSignOut = () => {
    const warning = "Commands with an unknown outcome stay in this tab. Sign in here again to settle them. Sign out?"
    if (pending === 0 || window.confirm(warning)) signOut()
  }
  return (
    <>
      <a
        className="skip"
        href="#main"
        onClick={(event) => {
          // The part behind the `#` is the page's address.
          event.preventDefault()
          document.getElementById("main")?.focus()
        }}
      >
        To the contents
      </a>
      <header className="top">
        <span className="brand">effect-wallet</span>
        <nav aria-label="Pages">
          <Link to="/" activeOptions={{ exact: true, includeSearch: false }}>
            Find
          </Link>
          <Link to="/log" activeOptions={{ includeSearch: false }}>
            Log
          </Link>
          {scopes.admin && (
            <>
              <Link to="/actors">Actors</Link>
              <Link to="/webhooks">Webhooks</Link>
              <Link to="/keys">Keys</Link>
            </>
          )}
          <Link to="/health">Health</Link>
          <a href="docs" target="_blank" rel="noreferrer">
            API
          </a>
        </nav>
        <span className="session">
          <span className="quiet">
            key: <strong>{scopeText(scopes)}</strong>
          </span>
          <button type="button" className="small" onClick={onSignOut}>
            Sign out
          </button>
        </span>
      </header>
      <main id="main" tabIndex={-1}>
        <PendingBar />
        <Outlet />
      </main>
    </>
  )
}
