import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { commandLine } from '../../../shared/exec/command.ts';

function run(request: Parameters<typeof commandLine>[0]): string {
  const [program = '', ...rest] = commandLine(request);
  return execFileSync(program, rest, { encoding: 'utf8' });
}

describe('commandLine', () => {
  it('runs a command by sh, and a list as it is', () => {
    expect(commandLine({ command: 'echo $A' })).toEqual(['sh', '-c', 'echo $A']);
    expect(commandLine({ argv: ['ls', '-l'] })).toEqual(['ls', '-l']);
  });

  it('starts in a folder whose name a shell would take apart', () => {
    expect(run({ command: 'pwd', cwd: '/' })).toBe('/\n');
    expect(commandLine({ command: 'pwd', cwd: '$(touch /x) "; rm' })).toContain('$(touch /x) "; rm');
  });

  it('hands on values that a shell would take apart', () => {
    const value = `a b'"$HOME\`id\`\n;`;
    expect(run({ command: 'printf %s "$X"', env: { X: value } })).toBe(value);
    expect(run({ argv: ['printf', '%s', '$X'], env: { X: 'y' } })).toBe('$X');
  });

  it('takes a program whose name looks like a variable for a program', () => {
    expect(() => run({ argv: ['a=b'], env: { A: '1' } })).toThrow(/not found/);
  });

  it('leaves nothing of its own in the environment', () => {
    expect(run({ command: 'env', env: { A: '1' } })).not.toContain('__berth');
  });
});
