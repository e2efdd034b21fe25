import { describe, expect, it } from 'vitest';
import { pods, secrets } from '../../../../dev/cluster/api/resources.ts';
import { parseFieldSelector, parseLabelSelector, selects } from '../../../../dev/cluster/api/selectors.ts';
import { StatusError } from '../../../../dev/cluster/api/status.ts';

const labels = { app: 'web', tier: 'a', 'berth.dev/user': 'ada', empty: '' };

/** The code of the refusal that a call throws. */
function codeOf(call: () => unknown): number | undefined {
  try {
    call();
  } catch (error) {
    if (error instanceof StatusError) return error.status.code;
    throw error;
  }
  return undefined;
}

describe('label selectors', () => {
  const cases: readonly (readonly [selector: string, selected: boolean])[] = [
    ['', true],
    ['app=web', true],
    ['app==web', true],
    ['app=db', false],
    ['app!=db', true],
    ['app!=web', false],
    ['absent!=x', true],
    ['app in (db, web)', true],
    ['app in (db)', false],
    ['absent in (x)', false],
    ['app notin (db)', true],
    ['app notin (web,db)', false],
    ['absent notin (x)', true],
    ['app', true],
    ['absent', false],
    ['!absent', true],
    ['!app', false],
    ['berth.dev/user=ada', true],
    ['empty=', true],
    ['app=web,tier in (a,b),!absent', true],
    ['app=web,tier in (b,c)', false],
  ];
  it.each(cases)('%j selects: %s', (selector, selected) => {
    expect(selects({ labels: parseLabelSelector(selector), fields: [] }, { metadata: { labels } })).toBe(selected);
  });

  it.each(['a==b==c', '!a=b', '=b', 'x y', 'a in b', 'a=$', 'a notin', ',a', `a=${'x'.repeat(64)}`])(
    '%j is refused with 400',
    (selector) => {
      expect(codeOf(() => parseLabelSelector(selector))).toBe(400);
    },
  );

  it('does not take inherited members for labels', () => {
    expect(selects({ labels: parseLabelSelector('constructor'), fields: [] }, { metadata: { labels: {} } })).toBe(false);
  });
});

describe('field selectors', () => {
  const pod = { metadata: { name: 'p', namespace: 'n' }, spec: { nodeName: 'berth-local' }, status: { phase: 'Running' } };
  const cases: readonly (readonly [selector: string, selected: boolean])[] = [
    ['metadata.name=p', true],
    ['metadata.name=q', false],
    ['metadata.namespace=n,metadata.name=p', true],
    ['spec.nodeName=berth-local', true],
    ['spec.nodeName!=', true],
    ['status.phase!=Running', false],
    ['status.podIP=', true],
  ];
  it.each(cases)('%j selects: %s', (selector, selected) => {
    expect(selects({ labels: [], fields: parseFieldSelector(pods, selector) }, pod)).toBe(selected);
  });

  it('refuses a field that the kind does not offer', () => {
    expect(() => parseFieldSelector(secrets, 'status.phase=Running')).toThrow('field label not supported: status.phase');
    expect(() => parseFieldSelector(pods, 'abc')).toThrow("invalid selector: 'abc'; can't understand 'abc'");
  });
});
