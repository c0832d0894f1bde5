/** What a receiver is sent of an event: `{type, timestamp, data}`, `data` as in the feed. */
import type { ToldEvent } from "../engine/EngineApi.ts"
import { publicEvent, publicType } from "../domain/PublicEvent.ts"

const formatTime = (time: number): string => new Date(time).toISOString()

/** `webhook-id`: the event's own, so that it is the same in every attempt, and for every endpoint. */
export const messageIdOf = ({ id, version, walletId }: ToldEvent): string => `evt_${id ?? `${walletId}_${version}`}`

/** Texts of events that several endpoints are sent: made once, and kept as long as the event. */
const bodies = new WeakMap<ToldEvent, string>()

export const bodyOf = (recorded: ToldEvent): string => {
  let body = bodies.get(recorded)
  if (body === undefined) {
    const timestamp = formatTime(recorded.time)
    body = JSON.stringify({ type: publicType(recorded.event), timestamp, data: publicEvent(recorded, formatTime) })
    bodies.set(recorded, body)
  }
  return body
}

/** Of a request that only tries whether an endpoint is there. `time`: milliseconds. */
export const testBodyOf = (webhookId: string, time: number): string =>
  JSON.stringify({ type: "WebhookTest", timestamp: formatTime(time), data: { webhookId } })
