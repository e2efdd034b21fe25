import { describe, expect, it } from 'vitest';
import { pods, secrets } from '../../../../dev/cluster/api/resources.ts';
import { parseFieldSelector, parseLabelSelector, selects } from '../../../../dev/cluster/api/selectors.ts';

const labels = { app: 'web', tier: 'a', 'berth.dev/user': 'ada', empty: '' };

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
      expect(() => parseLabelSelector(selector)).toThrow(
        expect.objectContaining({ status: expect.objectContaining({ code: 400, reason: 'BadRequest' }) }),
      );
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
