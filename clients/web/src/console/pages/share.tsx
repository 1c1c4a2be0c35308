import { useState, type ReactNode } from "react";
import { texts } from "../../texts/console";
import { useDeed } from "../asking";
import type { RouteRow } from "../contract";
import { useMay } from "../session";
import { share } from "../state/format";
import { permille } from "../state/shares";
import { Confirm } from "../ui/confirm";
import { Button, TextField } from "../ui/controls";
import { Deed } from "../ui/deed";

const words = texts.apps;

/** The buttons of a method's route: set a share, or take the route out. */
export function SetShare({ app, method, versions, route }: { app: string; method: string; versions: readonly string[]; route: RouteRow | undefined }): ReactNode {
  const name = method === "" ? app : `${app}.${method}`;
  const [open, setOpen] = useState(false);
  const [version, setVersion] = useState("");
  const [percent, setPercent] = useState("");
  const [faulty, setFaulty] = useState(false);
  const set = useDeed("route.set", (_, request) => words.applied(name, share(request.share_permille), request.version));
  const may = useMay("route.set");
  const start = (): void => {
    setVersion(route?.version ?? versions[0] ?? "");
    setPercent(route === undefined ? "5" : String(route.share_permille / 10));
    setFaulty(false);
    set.reset();
    setOpen(true);
  };
  const apply = (): void => {
    const thousandths = permille(percent);
    setFaulty(thousandths === null);
    if (thousandths !== null) {
      set.mutate({ app, method, version: version.trim(), share_permille: thousandths }, { onSuccess: () => setOpen(false) });
    }
  };
  return (
    <span className="inline-flex gap-2">
      {route === undefined ? null : (
        <Deed
          operation="route.remove"
          request={{ app, method }}
          kind="small"
          label={words.remove}
          name={`${words.remove} of ${name}`}
          title={`${words.remove} of ${name}?`}
          about={words.setAbout}
          action={words.remove}
          done={() => words.removed(name)}
        />
      )}
      {may ? (
        <Button kind="small" aria-label={words.setOf(name)} onClick={start}>
          {words.set}
        </Button>
      ) : null}
      <Confirm open={open} close={() => setOpen(false)} title={words.setTitle(name)} action={words.apply} act={apply} busy={set.isPending} error={set.error}>
        <p>{words.setAbout}</p>
        <TextField id="share-version" label={words.version} list="share-versions" value={version} onChange={(event) => setVersion(event.target.value)} />
        <datalist id="share-versions">
          {versions.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
        <TextField
          id="share-percent"
          label={words.share}
          hint={faulty ? words.shareWrong : words.shareHint}
          inputMode="decimal"
          aria-invalid={faulty}
          value={percent}
          onChange={(event) => setPercent(event.target.value)}
        />
      </Confirm>
    </span>
  );
}
