/** A command that is a group of commands: `ringmail queue create`. */
import { type Command, type CommandTable, usage } from './args.ts';
import { EXIT } from './exit-codes.ts';
import { groupHelp } from './help.ts';
import type { World } from './world.ts';

export interface GroupSpec {
  readonly name: string;
  readonly summary: string;
  /** In the order of the help. Each says its name with that of the group: `queue create`. */
  readonly tools: CommandTable;
  /** Paragraphs below the list. */
  readonly notes?: readonly string[];
  /** Runs one of them; as it is unless said. */
  readonly run?: (tool: Command, argv: readonly string[], world: World) => Promise<number>;
}

export function defineGroup({ name, summary, tools, notes = [], run }: GroupSpec): Command {
  return {
    name,
    summary,
    tools,
    run: async ([first, ...rest], world) => {
      if (first === '--help' || first === '-h') {
        const all = await Promise.all(Object.values(tools).map((load) => load()));
        await world.stdout(groupHelp({ name, summary, notes, tools: all }));
        return EXIT.ok;
      }
      const load = first !== undefined && Object.hasOwn(tools, first) ? tools[first] : undefined;
      if (load === undefined) throw usage(`ringmail ${name} needs one of ${Object.keys(tools).join(', ')}`);
      const tool = await load();
      return run === undefined ? tool.run(rest, world) : run(tool, rest, world);
    },
  };
}
