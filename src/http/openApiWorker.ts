/** Worker thread: makes the OpenAPI document, and ends. */
import { parentPort } from "node:worker_threads"
import { openApiDocument } from "./api/OpenApiDocument.ts"

const port = parentPort
if (port === null) throw new Error("this file is the entry of a worker thread")
port.postMessage(new TextEncoder().encode(JSON.stringify(openApiDocument())))
