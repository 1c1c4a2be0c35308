import type { ReactNode } from "react";
import { texts } from "../../texts/console";
import { useAsked } from "../asking";
import { Charts } from "../ui/charts";
import { Fact, Facts, PageHead, Panel } from "../ui/panel";
import { Asked, Empty } from "../ui/states";
import { Code, When } from "../ui/words";
import { NodeState, versionOf } from "./overview";

/** One process: what it is, all its figures over time. */
export function NodePage({ node }: { node: string }): ReactNode {
  const nodes = useAsked("nodes.list", { service: "" });
  const words = texts.node;
  return (
    <>
      <PageHead title={node} />
      <Asked query={nodes}>
        {({ nodes: rows, figures: kinds }) => {
          const row = rows.find((each) => each.node === node);
          if (row === undefined) {
            return <Empty title={words.missing}>{words.missingTodo}</Empty>;
          }
          const own = Object.keys(kinds).filter((name) => name in row.figures);
          return (
            <>
              <Panel title={words.facts} actions={<NodeState state={row.state} heard={row.heard_ms} />}>
                <Facts>
                  <Fact name={words.service}>{row.service}</Fact>
                  <Fact name={words.version}>
                    <Code>{versionOf(row)}</Code>
                  </Fact>
                  <Fact name={words.since}>
                    <When ms={row.started_ms} />
                  </Fact>
                  <Fact name={words.heard}>
                    <When ms={row.heard_ms} relative />
                  </Fact>
                </Facts>
              </Panel>
              <Charts label={words.figures} figures={own} kinds={kinds} node={node} />
            </>
          );
        }}
      </Asked>
    </>
  );
}
