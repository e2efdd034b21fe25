/**
 * Terminals, which outlive those who look at them.
 *
 * @module
 */
import { describe, expect, test } from 'vitest';
import type { HelperClient } from '../../../shared/helper/client.ts';
import type { Attachment, TerminalRecord } from '../../../shared/helper/client-terminals.ts';
import { newId } from '../../../shared/ids.ts';
import { eventually } from '../kubernetes/rig.ts';
import { helper, sh, soon } from './run.ts';
import type { HelperSubject } from './subject.ts';

const size = { cols: 80, rows: 24 };

export function describeTerminals(subject: HelperSubject): void {
  const { way, open, image } = subject;
  describe.concurrent('a terminal', () => {
    test('shows what its program prints, again and again, and how it ended', async () => {
      const { terminals } = way().client;
      const id = newId();
      const made = await terminals.create(id, { argv: [helper, 'version'], ...size }, soon());
      expect(await terminals.create(id, { argv: [helper, 'version'], ...size }, soon())).toEqual(made);
      const first = await watch(way().client, id);
      expect(first.text).toMatch(/^\d+\.\d+\.\d+\r\n$/);
      expect(first.last).toMatchObject({ event: 'end', exit_code: 0, signal: null, reason: 'exited' });
      await using other = open();
      expect(await watch(other.client, id)).toEqual(first);
      expect(await terminals.get(id, soon())).toMatchObject({ id, exit_code: 0, offset: first.text.length, oldest_offset: 0, ...size });
      await expect(terminals.end(id, soon())).resolves.toBeUndefined();
    });

    test('that does not exist is said to be none', async () => {
      const attaching = way().client.terminals.attach(newId(), { client: 'a', mode: 'write', signal: soon() });
      await expect(attaching).rejects.toMatchObject({ code: 'not_found' });
    });
  });
  if (image.shell) describeShells(subject);
}

function describeShells({ way, open }: HelperSubject): void {
  describe.concurrent('a shell on a terminal', () => {
    test('answers keystrokes, and knows the size of its window', async () => {
      await using shell = await startShell(way().client);
      const writer = await attach(way().client, shell.id, 'writer');
      await writer.type('tty >/dev/null && [ -t 0 ] && [ -t 1 ] && stty size && echo $((40 + 2))-\n');
      await writer.until('24 80\r\n42-');
      await way().client.terminals.resize(shell.id, 'writer', { cols: 132, rows: 50 }, soon());
      await writer.type('stty size\n');
      await writer.until('50 132');
      expect(await way().client.terminals.get(shell.id, soon())).toMatchObject({ cols: 132, rows: 50 });
      writer.close();
    });

    test('is interrupted by Ctrl-C', async () => {
      await using shell = await startShell(way().client);
      const writer = await attach(way().client, shell.id, 'writer');
      await writer.type('echo be""gun; sleep 1000\n');
      await writer.until('begun');
      await writer.type('\u0003');
      await writer.type('echo still"" here\n');
      await writer.until('still here\r\n');
      writer.close();
    });

    test('lives on when its connection is cut, and goes on at the byte that was seen last', async () => {
      await using shell = await startShell(way().client);
      await using first = open();
      const before = await attach(first.client, shell.id, 'writer');
      await before.type('echo one-$((1 + 1))\n');
      await before.until('one-2\r\n');
      first.tap.cut();
      await expect(before.rest()).rejects.toMatchObject({ code: 'helper_connection_lost' });
      await using second = open();
      const since = before.seen().length;
      const after = await attach(second.client, shell.id, 'writer', since);
      await after.type('echo two-$((1 + 1))\n');
      await after.until('two-2\r\n');
      expect(after.seen()).not.toContain('one-2');
      // Replayed from its beginning it is one story.
      const all = await attach(way().client, shell.id, 'reader', 0, 'read');
      await all.until(after.seen());
      expect(all.seen().startsWith(before.seen() + after.seen())).toBe(true);
      after.close();
      all.close();
    });

    test('has one writer; another takes its place when he says so', async () => {
      await using shell = await startShell(way().client);
      const first = await attach(way().client, shell.id, 'first');
      await using other = open();
      const second = await attach(other.client, shell.id, 'second');
      expect([first.mode(), second.mode()]).toEqual(['write', 'read']);
      await second.type('echo not""this\n');
      // What was sent before an answer has been taken in by then, and what was typed since by another shows that the shell is past it.
      await other.client.health(soon());
      await first.type('echo be""fore\n');
      await first.until('before\r\n');
      await other.client.terminals.takeover(shell.id, 'second', soon());
      await eventually(() => Promise.resolve(second.mode() === 'write' && first.mode() === 'read'), 2_000);
      await second.type('echo but""this\n');
      await Promise.all([first.until('butthis'), second.until('butthis')]);
      expect(second.seen()).not.toContain('notthis');
      first.close();
      second.close();
    });

    test('ends with everything in it', async () => {
      const shell = await startShell(way().client);
      const writer = await attach(way().client, shell.id, 'writer');
      await writer.type('echo rea""dy; exec sleep 1000\n');
      await writer.until('ready');
      await way().client.terminals.end(shell.id, soon());
      await expect(writer.rest()).resolves.toMatchObject({ event: 'end', reason: 'ended' });
      // Its end can be read for a while.
      const listed = (await way().client.terminals.list(soon())).find(({ id }) => id === shell.id);
      expect(typeof (listed ?? { ended_at: '' }).ended_at).toBe('string');
    });
  });
}

async function startShell(client: HelperClient): Promise<AsyncDisposable & { readonly id: string }> {
  const id = newId();
  await client.terminals.create(id, { argv: sh('exec sh -i 2>&1'), env: { PS1: '$ ', ENV: '' }, ...size }, soon());
  return { id, [Symbol.asyncDispose]: () => client.terminals.end(id, soon()) };
}

/** From the oldest byte to the end of the program. */
async function watch(client: HelperClient, id: string): Promise<{ readonly text: string; readonly last: TerminalRecord | undefined }> {
  const reader = await client.terminals.attach(id, { client: newId(), since: 0, mode: 'read', signal: soon() });
  let text = '';
  let last: TerminalRecord | undefined;
  for await (const record of reader.events) {
    if (record.event === 'output') text += record.bytes.toString();
    last = record;
  }
  return { text, last };
}

/** Somebody who looks at a terminal, and reads all the time. */
class Onlooker {
  readonly #attachment: Attachment;
  readonly #end: Promise<TerminalRecord | undefined>;
  #seen = '';
  #mode = '';

  constructor(attachment: Attachment) {
    this.#attachment = attachment;
    this.#end = this.#read();
    this.#end.catch(() => undefined);
  }

  async #read(): Promise<TerminalRecord | undefined> {
    let last: TerminalRecord | undefined;
    for await (const record of this.#attachment.events) {
      if (record.event === 'output') this.#seen += record.bytes.toString();
      if (record.event === 'ready' || record.event === 'role') this.#mode = record.mode;
      last = record;
    }
    return last;
  }

  seen(): string {
    return this.#seen;
  }

  mode(): string {
    return this.#mode;
  }

  /** The last event. */
  rest(): Promise<TerminalRecord | undefined> {
    return this.#end;
  }

  type(keys: string): Promise<void> {
    return this.#attachment.write(Buffer.from(keys));
  }

  async until(text: string): Promise<void> {
    await eventually(() => Promise.resolve(this.#seen.includes(text)), 5_000).catch((error: unknown) => {
      throw new Error(`${JSON.stringify(text)} did not come: ${JSON.stringify(this.#seen)}`, { cause: error });
    });
  }

  close(): void {
    this.#attachment.close();
  }
}

async function attach(client: HelperClient, id: string, name: string, since?: number, mode: 'write' | 'read' = 'write'): Promise<Onlooker> {
  const options = { client: name, mode, signal: soon(), ...(since === undefined ? {} : { since }) };
  const onlooker = new Onlooker(await client.terminals.attach(id, options));
  await eventually(() => Promise.resolve(onlooker.mode() !== ''), 2_000);
  return onlooker;
}
