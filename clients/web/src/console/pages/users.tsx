import { Link, useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent, type ReactNode } from "react";
import { texts } from "../../texts/console";
import { useAsked } from "../asking";
import type { Ban } from "../contract";
import { Button, LINK, TextField } from "../ui/controls";
import { Deed } from "../ui/deed";
import { PageHead, Panel } from "../ui/panel";
import { Asked, Empty } from "../ui/states";
import { Table, type Column } from "../ui/table";
import { When, Who } from "../ui/words";
import { UserPanels } from "./user";

const words = texts.users;
const PAGE = 100;

/** One user's connections, and who is kept out. */
export function UsersPage({ user }: { user: string }): ReactNode {
  return (
    <>
      <PageHead title={words.title} about={words.about} />
      <Find key={user} user={user} />
      {user === "" ? null : <UserPanels user={user} />}
      <Bans shown={user} />
    </>
  );
}

function Find({ user }: { user: string }): ReactNode {
  const navigate = useNavigate();
  const [text, setText] = useState(user);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void navigate({ to: "/users", search: { user: text } });
  };
  return (
    <form onSubmit={submit} className="flex flex-wrap items-end gap-3">
      <TextField id="find-user" label={words.find} className="w-full max-w-md" value={text} onChange={(event) => setText(event.target.value)} />
      <Button type="submit">{texts.actions.look}</Button>
    </form>
  );
}

function Bans({ shown }: { shown: string }): ReactNode {
  const [before, setBefore] = useState<string[]>([]);
  const bans = useAsked("users.bans", { after: before.at(-1) ?? "", limit: PAGE });
  const last = bans.data?.bans.at(-1)?.user;
  return (
    <Panel
      title={words.bans}
      actions={
        before.length === 0 && bans.data?.more !== true ? undefined : (
          <>
            <Button disabled={before.length === 0} onClick={() => setBefore(before.slice(0, -1))}>
              {texts.actions.previous}
            </Button>
            <Button disabled={bans.data?.more !== true || last === undefined} onClick={() => last !== undefined && setBefore([...before, last])}>
              {texts.actions.next}
            </Button>
          </>
        )
      }
    >
      <Asked query={bans}>
        {({ bans: rows }) =>
          rows.length === 0 ? <Empty title={words.bansEmpty}>{words.bansEmptyTodo}</Empty> : <Table label={words.bans} columns={columns(shown)} rows={rows} id={(row) => row.user} current={shown} />
        }
      </Asked>
    </Panel>
  );
}

function columns(shown: string): Column<Ban>[] {
  const heads = words.banColumns;
  return [
    {
      head: heads.user,
      cell: ({ user }) => (
        <Link to="/users" search={{ user }} className={LINK}>
          <bdi>{user}</bdi>
        </Link>
      ),
    },
    { head: heads.until, cell: ({ expire_at_ms: end }) => (end === 0 ? <span className="whitespace-nowrap">{words.forEver}</span> : <When ms={end} />) },
    { head: heads.reason, className: "w-full min-w-32", cell: ({ reason }) => <bdi className="wrap-anywhere text-dim">{reason}</bdi> },
    { head: heads.by, wide: true, cell: ({ by }) => <Who user={by} /> },
    { head: heads.at, wide: true, cell: ({ at_ms: at }) => <When ms={at} /> },
    {
      head: <span className="sr-only">{words.unban}</span>,
      end: true,
      cell: ({ user }) => (user === shown ? null : <Unban user={user} small />), // the user's own panel has it
    },
  ];
}

/** Lifts a ban. */
export function Unban({ user, small = false }: { user: string; small?: boolean }): ReactNode {
  return (
    <Deed
      kind={small ? "small" : "quiet"}
      operation="users.unban"
      request={{ user }}
      label={words.unban}
      name={words.unbanUser(user)}
      title={words.unbanTitle(user)}
      about={words.unbanAbout}
      action={words.unbanApply}
      done={() => words.unbanned(user)}
    />
  );
}
