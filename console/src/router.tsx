/** The pages by their addresses, which stand behind the `#`: what is there never leaves the browser. */
import {
  createHashHistory,
  createRootRoute,
  createRoute,
  createRouter,
  type ErrorComponentProps
} from "@tanstack/react-router"
import type { Filters } from "./format/Filters.ts"
import { Problem } from "./parts/Basics.tsx"
import { ActorsPage } from "./pages/ActorsPage.tsx"
import { FindPage } from "./pages/FindPage.tsx"
import { HealthPage } from "./pages/HealthPage.tsx"
import { KeysPage } from "./pages/KeysPage.tsx"
import { LogPage } from "./pages/LogPage.tsx"
import { StoresPage } from "./pages/StoresPage.tsx"
import { TransferPage } from "./pages/TransferPage.tsx"
import { WalletPage } from "./pages/WalletPage.tsx"
import { WebhooksPage } from "./pages/WebhooksPage.tsx"
import { Shell } from "./Shell.tsx"

/** As it stands in the address: text. */
const texts = (search: Record<string, unknown>): Filters =>
  Object.fromEntries(Object.entries(search).filter((entry): entry is [string, string] => typeof entry[1] === "string"))

const NotFound = () => (
  <>
    <h1>Nothing here</h1>
    <p>
      There is no such page. <a href="#/">Find</a> leads everywhere.
    </p>
  </>
)

const Broken = ({ error, reset }: ErrorComponentProps) => (
  <>
    <h1>This page has broken</h1>
    <Problem error={error instanceof Error ? error : new Error(String(error))} onRetry={reset} />
  </>
)

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound, errorComponent: Broken })

const find = createRoute({ getParentRoute: () => root, path: "/", validateSearch: texts, component: FindPage })

const wallet = createRoute({
  getParentRoute: () => root,
  path: "/wallets/$id",
  validateSearch: (search: Record<string, unknown>): { v?: string } =>
    typeof search["v"] === "string" ? { v: search["v"] } : {},
  component: WalletPage
})

const stores = createRoute({ getParentRoute: () => root, path: "/wallets/$id/stores", component: StoresPage })
const transfer = createRoute({ getParentRoute: () => root, path: "/transfers/$id", component: TransferPage })
const actors = createRoute({ getParentRoute: () => root, path: "/actors", component: ActorsPage })
const webhooks = createRoute({ getParentRoute: () => root, path: "/webhooks", component: WebhooksPage })
const keys = createRoute({ getParentRoute: () => root, path: "/keys", component: KeysPage })
const log = createRoute({ getParentRoute: () => root, path: "/log", validateSearch: texts, component: LogPage })
const health = createRoute({ getParentRoute: () => root, path: "/health", component: HealthPage })

export const router = createRouter({
  routeTree: root.addChildren([find, wallet, stores, transfer, actors, log, webhooks, keys, health]),
  history: createHashHistory(),
  defaultErrorComponent: Broken,
  // Everything in an address is text: a number read from it would lose digits.
  parseSearch: (text) => Object.fromEntries(new URLSearchParams(text)),
  stringifySearch: (search) => {
    const query = new URLSearchParams(texts(search)).toString()
    return query === "" ? "" : `?${query}`
  }
})

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router
  }
}
