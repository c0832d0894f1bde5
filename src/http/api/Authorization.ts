/**
 * Who may call what: the security scheme of the API, the scope that each endpoint
 * asks for and the key that a handler finds in its context. Definition only; the
 * server's part is `Authentication.ts`, the client's `WalletClient.ts`.
 */
import * as Context from "effect/Context"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiSecurity from "effect/http-api/HttpApiSecurity"
import type { ApiKey, Scope } from "../../stores/ApiKeyStore.ts"
import type { MutationType } from "../../domain/KeyRestriction.ts"
import { Forbidden, RateLimited, StoreUnavailable, Unauthorized } from "./Problem.ts"

/** The key of the request being served. */
export class CurrentKey extends Context.Service<CurrentKey, ApiKey>()(
  "effect-wallet/http/api/Authorization/CurrentKey"
) {}

/** Annotation of an endpoint: the scope a key needs for it. */
export class RequiredScope extends Context.Service<RequiredScope, Scope>()(
  "effect-wallet/http/api/Authorization/RequiredScope"
) {}

/** Annotation of an endpoint that any valid key may use, whatever its scopes. */
export class AnyKey extends Context.Service<AnyKey, boolean>()("effect-wallet/http/api/Authorization/AnyKey") {}

/**
 * Annotation of an endpoint that keys with a restriction may use, within it; without it they may not. `type`: of a
 * mutation, what it is among the types of a restriction; `other`: none of them, so only for keys without `types`;
 * `each`: its commands are judged one by one. Absent: it changes nothing.
 */
export class ForRestrictedKeys extends Context.Service<
  ForRestrictedKeys,
  { readonly type?: MutationType | "other" | "each" }
>()("effect-wallet/http/api/Authorization/ForRestrictedKeys") {}

/** `admin` includes the other two, unless the key is restricted; those do not include each other. */
export const hasScope = (key: ApiKey, scope: Scope): boolean =>
  key.scopes.includes(scope) || (key.scopes.includes("admin") && key.restriction === undefined)

/** `Authorization: Bearer <api key>`; comes before everything else about a request. */
export class Authorization extends HttpApiMiddleware.Service<Authorization, { provides: CurrentKey }>()(
  "effect-wallet/http/api/Authorization",
  {
    requiredForClient: true,
    security: { apiKey: HttpApiSecurity.bearer },
    error: [Unauthorized, Forbidden, RateLimited, StoreUnavailable]
  }
) {}
