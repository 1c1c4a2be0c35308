import { Link } from "@tanstack/react-router";
import { useState, type ReactNode } from "react";
import { texts } from "../../texts/console";
import { useAsked, useDeed } from "../asking";
import type { Endpoint, Secret } from "../contract";
import { useMay } from "../session";
import { short } from "../state/format";
import { Confirm } from "../ui/confirm";
import { Button, LINK, TextField } from "../ui/controls";
import { PageHead, Panel, Split } from "../ui/panel";
import { SecretOnce } from "../ui/secret";
import { Asked, Badge, Empty } from "../ui/states";
import { Table, type Column } from "../ui/table";
import { EndpointPanels } from "./endpoint";

const words = texts.webhooks;
const BLANK = { app: "", event: "", url: "", rate: "0" };

/** The endpoints; one of them beside the list. */
export function WebhooksPage({ endpoint }: { endpoint: string }): ReactNode {
  const endpoints = useAsked("webhooks.list", { app: "" });
  const list = (
    <Panel title={words.list}>
      <Asked query={endpoints}>
        {({ endpoints: rows }) =>
          rows.length === 0 ? <Empty title={words.empty}>{words.emptyTodo}</Empty> : <Table label={words.list} columns={COLUMNS} rows={rows} id={(row) => row.id} current={endpoint} compact={endpoint !== ""} />
        }
      </Asked>
    </Panel>
  );
  return (
    <>
      <PageHead title={words.title} about={words.about}>
        {endpoint === "" ? null : (
          <Link to="/webhooks" className={`${LINK} xl:hidden`}>
            {texts.actions.back}
          </Link>
        )}
        <Add />
      </PageHead>
      <Split list={list} detail={endpoint === "" ? null : <EndpointPanels key={endpoint} id={endpoint} />} />
    </>
  );
}

/** How an endpoint stands. */
export function EndpointState({ disabled }: { disabled: string }): ReactNode {
  return <Badge tone={disabled === "" ? "good" : "bad"}>{disabled === "" ? words.on : words.off}</Badge>;
}

const COLUMNS: Column<Endpoint>[] = [
  {
    head: words.columns.url,
    className: "min-w-48",
    cell: ({ id, url }) => (
      <Link to="/webhooks/$endpoint" params={{ endpoint: id }} aria-label={`${url} (${id})`} className={LINK}>
        {url}
      </Link>
    ),
  },
  { head: words.columns.state, cell: ({ disabled }) => <EndpointState disabled={disabled} /> },
  { head: words.columns.event, cell: ({ event }) => <span className="wrap-anywhere">{event}</span> },
  { head: words.columns.app, wide: true, cell: ({ app }) => app },
  { head: words.columns.limit, end: true, wide: true, cell: ({ rate_limit: rate }) => (rate === 0 ? words.noLimit : words.limit(short(rate))) },
];

function Add(): ReactNode {
  const [open, setOpen] = useState(false);
  const [form, setForm] = useState(BLANK);
  const [secret, setSecret] = useState<Secret | null>(null);
  const add = useDeed("webhooks.add", () => words.added);
  if (!useMay("webhooks.add")) {
    return null;
  }
  const set = (field: keyof typeof BLANK) => (event: { target: { value: string } }): void => setForm({ ...form, [field]: event.target.value });
  const start = (): void => {
    add.reset();
    setForm(BLANK);
    setOpen(true);
  };
  const done = (made: Secret): void => {
    setOpen(false);
    setSecret(made);
  };
  const apply = (): void =>
    add.mutate({ app: form.app.trim(), event: form.event.trim(), url: form.url.trim(), rate_limit: Math.max(0, Number(form.rate) || 0) }, { onSuccess: done });
  return (
    <>
      <Button kind="main" onClick={start}>
        {words.add}
      </Button>
      <Confirm open={open} close={() => setOpen(false)} title={words.addTitle} action={words.addApply} act={apply} busy={add.isPending} error={add.error}>
        <p>{words.addAbout}</p>
        <TextField id="add-url" type="url" label={words.url} value={form.url} onChange={set("url")} />
        <TextField id="add-app" label={words.app} value={form.app} onChange={set("app")} />
        <TextField id="add-event" label={words.event} value={form.event} onChange={set("event")} />
        <TextField id="add-rate" label={words.rate} hint={words.rateHint} inputMode="decimal" value={form.rate} onChange={set("rate")} />
      </Confirm>
      <SecretOnce secret={secret} close={() => setSecret(null)} />
    </>
  );
}
