/** All in-memory adapters over one shared state. */
import * as Layer from "effect/Layer"
import type { ApiKeyStore } from "../ApiKeyStore.ts"
import type { AuditStore } from "../AuditStore.ts"
import type { EventStore } from "../EventStore.ts"
import * as MemoryApiKeyStore from "./MemoryApiKeyStore.ts"
import * as MemoryAuditStore from "./MemoryAuditStore.ts"
import { MemoryDatabase, type MemoryOptions } from "./MemoryDatabase.ts"
import * as MemoryEventStore from "./MemoryEventStore.ts"
import * as MemoryPersistence from "./MemoryPersistence.ts"
import * as MemoryReadModel from "./MemoryReadModel.ts"
import type { Persistence } from "../Persistence.ts"
import type { ReadModel } from "../ReadModel.ts"
import type { WebhookStore } from "../WebhookStore.ts"
import * as MemoryWebhookStore from "./MemoryWebhookStore.ts"

/** Every build of the layer is a new, empty installation. See {@link MemoryOptions}. */
export const layer = (
  options: MemoryOptions = {}
): Layer.Layer<EventStore | Persistence | ReadModel | ApiKeyStore | AuditStore | WebhookStore> =>
  Layer.mergeAll(
    MemoryEventStore.layer,
    MemoryPersistence.layer,
    MemoryReadModel.layer,
    MemoryApiKeyStore.layer,
    MemoryAuditStore.layer,
    MemoryWebhookStore.layer
  ).pipe(Layer.provide(MemoryDatabase.layer(options)))
