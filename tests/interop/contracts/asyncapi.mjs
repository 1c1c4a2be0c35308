// Reads one AsyncAPI document from the standard input; prints what the official schema and the official parser have against it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Parser } from "@asyncapi/parser";
import Ajv from "ajv";
import addFormats from "ajv-formats";

const require = createRequire(import.meta.url);
const text = readFileSync(0, "utf8");
const schema = require("@asyncapi/specs/schemas/3.0.0-without-$id.json");

const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
const validate = ajv.compile(schema);
const told = validate(JSON.parse(text)) ? [] : validate.errors.map((error) => `${error.instancePath} ${error.message}`);

const { document, diagnostics } = await new Parser().parse(text);
const seen = document && {
  title: document.info().title(),
  channels: document.channels().all().map((channel) => channel.address()),
  operations: document.operations().all().map((operation) => [operation.id(), operation.action(), Boolean(operation.reply())]),
};
console.log(JSON.stringify({ schema: told, parser: diagnostics.filter((each) => each.severity === 0).map((each) => `${each.path.join(".")}: ${each.message}`), seen }));
