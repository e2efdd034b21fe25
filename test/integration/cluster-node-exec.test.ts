import { createHash, randomBytes } from 'node:crypto';
import type { V1Secret } from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { secrets } from '../../dev/cluster/node/kinds.ts';
import { NodeError } from '../../dev/cluster/port.ts';
import { announceMissing, installedRuntimes, namespace, readText, startTestNode } from '../fakes/cluster-node.ts';
import type { TestNode } from '../fakes/cluster-node.ts';

const installed = installedRuntimes();
announceMissing(installed);

describe.each(installed)('commands in a container of the runtime %s', (runtime) => {
  let node: TestNode;
  const sandboxed = runtime !== 'plain';

  beforeAll(async () => {
    node = await startTestNode(runtime);
  });
  afterAll(async () => {
    await node.end();
  });

  describe('with a running pod', () => {
    beforeAll(async () => {
      await node.run('runs', { env: [{ name: 'HOME', value: '/workspace' }] });
    });
    afterAll(async () => {
      await node.remove('runs');
    });

    test('keeps stdin, stdout, stderr and the exit code of a command apart', async () => {
      expect(await node.exec('runs', ['sh', '-c', 'cat; echo bad >&2; exit 3'], 'some input')).toEqual({
        code: 3,
        stdout: 'some input',
        stderr: 'bad\n',
      });
    });

    test('reports a signal as 128 and its number', async () => {
      expect((await node.exec('runs', ['sh', '-c', 'kill -9 $$'])).code).toBe(137);
      expect((await node.exec('runs', ['sh', '-c', 'kill -TERM $$'])).code).toBe(143);
    });

    test('hands arguments over as they are', async () => {
      const words = ['a b', "it's", '"$(id)"', '$HOME', '', 'ü\n;', '--', '-n', '*', '`id`', '\\'];
      const { stdout } = await node.exec('runs', ['printf', '%s\\0', ...words]);
      expect(stdout.split('\0').slice(0, -1)).toEqual(words);
    });

    test('refuses a command that cannot be started, in the words of a container runtime', async () => {
      const problem = async (command: string): Promise<unknown> => node.exec('runs', [command]).catch((error: unknown) => error);
      const missing = await problem('no-such-command');
      expect(missing).toBeInstanceOf(NodeError);
      expect(missing).toMatchObject({
        code: 500,
        message: expect.stringContaining('exec: "no-such-command": executable file not found in $PATH') as string,
      });
      expect(await problem('/etc/passwd')).toMatchObject({
        message: expect.stringContaining('exec: "/etc/passwd": permission denied') as string,
      });
      expect(await problem('/no/such')).toMatchObject({
        message: expect.stringContaining('exec: "/no/such": stat /no/such: no such file or directory') as string,
      });
    });

    test('carries megabytes both ways unchanged, however slowly they are read', async () => {
      const bytes = randomBytes(3 * 1024 * 1024);
      const process = await node.node.exec(namespace, 'runs', 'main', {
        command: ['cat'],
        stdin: true,
        stdout: true,
        stderr: false,
        tty: false,
      });
      process.stdin?.end(bytes);
      const hash = createHash('sha256');
      for await (const chunk of process.stdout ?? []) hash.update(chunk as Buffer);
      expect(hash.digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
      expect(await process.exitCode).toBe(0);
    });

    test('gives commands streams that can be opened by name', async () => {
      expect(await node.exec('runs', ['sh', '-c', 'echo out > /dev/stdout; echo err > /dev/stderr'])).toEqual({
        code: 0,
        stdout: 'out\n',
        stderr: 'err\n',
      });
    });

    test('gives a terminal that echoes, has a size and can change it', async () => {
      const command = ['sh', '-c', 'tty > /dev/null && read line && echo "<$1 $line>" && stty size && exit 5', 'sh', "it's $HOME"];
      const process = await node.node.exec(namespace, 'runs', 'main', { command, stdin: true, stdout: true, stderr: true, tty: true });
      process.resize(101, 33);
      const output = readText(process.stdout);
      // The size is set by a process of its own; the command is given its line once that has happened.
      for (let size = ''; size.trim() !== '33 101';) size = await terminalSize();
      process.stdin?.write('typed\n');
      expect(await process.exitCode).toBe(5);
      expect((await output).replaceAll('\r', '')).toBe("typed\n<it's $HOME typed>\n33 101\n");
      expect(process.stderr).toBeUndefined();

      async function terminalSize(): Promise<string> {
        const script =
          'for t in /proc/[0-9]*/fd/0; do n=$(readlink $t); case $n in /dev/pts/*) stty -F $n size 2> /dev/null; esac; done | grep -x "33 101" | head -1';
        return (await node.exec('runs', ['sh', '-c', script])).stdout;
      }
    });

    test.runIf(sandboxed)('shows nothing of the machine but its programs', async () => {
      const { stdout } = await node.exec('runs', [
        'sh',
        '-c',
        'ls -A / | tr "\\n" " "; ls -A /root /home /run /var/tmp /tmp; ls -d "$0" 2>&1; cat /proc/1/comm',
        node.directory,
      ]);
      expect(stdout).toContain('/tmp:\n');
      expect(stdout).toMatch(/No such file or directory\nsh\n$/);
      expect(stdout).not.toContain(process.cwd());
      const roots = (stdout.split('\n')[0] ?? '').split(' ');
      expect(roots).toEqual(expect.arrayContaining(['dev', 'etc', 'proc', 'tmp', 'usr', 'workspace']));
      expect(roots.filter((name) => ['boot', 'mnt', 'media', 'srv', 'work', 'data'].includes(name))).toEqual([]);
    });

    test.runIf(sandboxed)('lets nothing be written but volumes and private folders', async () => {
      const script =
        'for f in /x /usr/x /etc/x /opt/x /dev/x /proc/sys/kernel/core_pattern /tmp/x /var/tmp/x /dev/shm/x /workspace/x; do (echo 1 > $f) 2> /dev/null && echo $f; done';
      expect((await node.exec('runs', ['sh', '-c', script])).stdout).toBe('/tmp/x\n/var/tmp/x\n/dev/shm/x\n/workspace/x\n');
    });

    test.runIf(sandboxed)('runs as the user of the pod, without any right', async () => {
      const { stdout } = await node.exec('runs', [
        'sh',
        '-c',
        'id -u; id -g; hostname; grep -E "^(CapInh|CapPrm|CapEff|CapAmb|NoNewPrivs)" /proc/self/status /proc/1/status | cut -d: -f2-',
      ]);
      const none = '0000000000000000';
      const rights = [`CapInh:\t${none}`, `CapPrm:\t${none}`, `CapEff:\t${none}`, `CapAmb:\t${none}`, 'NoNewPrivs:\t1'];
      expect(stdout.split('\n')).toEqual(['1000', '1000', 'runs', ...rights, ...rights, '']);
    });

    test.runIf(sandboxed)('has a process list of its own, and no way to mount or to see another pod', async () => {
      const needle = `36${Math.floor(Math.random() * 1e6)}`;
      await node.run('neighbour', { command: ['sleep', needle] });
      const { stdout } = await node.exec('runs', [
        'sh',
        '-c',
        'cat /proc/[0-9]*/cmdline | tr "\\0" " "; mount -t tmpfs none /workspace 2>&1; umount /etc 2>&1; kill -9 1; echo alive',
      ]);
      expect(stdout).not.toContain(needle);
      expect(stdout).toContain('must be superuser');
      expect(stdout).toContain('alive');
      await node.remove('neighbour', 0);
    });

    test('fails a command in a container that does not exist', async () => {
      const options = { command: ['true'], stdin: false, stdout: true, stderr: true, tty: false };
      await expect(node.node.exec(namespace, 'runs', 'other', options)).rejects.toMatchObject({
        code: 500,
        message: 'Internal error occurred: unable to upgrade connection: container not found ("other")',
      });
      await expect(node.node.exec(namespace, 'none', 'main', options)).rejects.toMatchObject({ code: 404 });
    });
  });

  test('gives a pod its environment and its files', async () => {
    node.objects.create<V1Secret>(secrets, {
      metadata: { name: 'keys', namespace },
      data: { A: Buffer.from('from secret').toString('base64'), 'B-C.d': Buffer.from('odd name').toString('base64') },
    });
    const pod = await node.run(
      'env',
      {
        envFrom: [{ secretRef: { name: 'keys' } }],
        env: [
          { name: 'A', value: 'own' },
          { name: 'KEY', valueFrom: { secretKeyRef: { name: 'keys', key: 'A' } } },
          { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'BOTH', value: '$(A) $$(A) $(NONE) $(POD)' },
        ],
        volumeMounts: [
          { name: 'workspace', mountPath: '/workspace' },
          { name: 'keys', mountPath: '/keys', readOnly: true },
        ],
      },
      {
        volumes: [
          { name: 'workspace', emptyDir: {} },
          { name: 'keys', secret: { secretName: 'keys', defaultMode: 0o400 } },
        ],
      },
    );
    const { stdout } = await node.exec('env', ['env', '-0']);
    const variables = Object.fromEntries(
      stdout.split('\0').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
    );
    expect(variables).toMatchObject({
      A: 'own',
      KEY: 'from secret',
      POD: 'env',
      BOTH: 'own $(A) $(NONE) env',
      'B-C.d': 'odd name',
      HOSTNAME: 'env',
    });
    expect(Object.keys(variables).filter((name) => name.startsWith('BERTH_ARGUMENT') || name.startsWith('BERTH_VARIABLE'))).toEqual([]);
    expect((await node.exec('env', ['sh', '-c', 'cat /keys/A; echo; (echo x > /keys/A) 2>/dev/null || echo kept'])).stdout).toBe(
      'from secret\nkept\n',
    );
    await node.remove(pod.metadata?.name ?? '');
  });

  test('finds python and node where the images have them', async () => {
    await node.run('python', {});
    expect((await node.exec('python', ['python', '-c', 'print(6 * 7)'])).stdout).toBe('42\n');
    await node.remove('python');
    await node.run('node', { image: 'node:24-slim' });
    expect((await node.exec('node', ['node', '-p', 'process.version'])).stdout).toBe(`${process.version}\n`);
    await node.remove('node');
  });
});
