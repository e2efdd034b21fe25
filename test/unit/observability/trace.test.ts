import { describe, expect, it } from 'vitest';
import { readTrace } from '../../../shared/observability/trace.ts';

const trace = '0af7651916cd43dd8448eb211c80319c';

describe('readTrace', () => {
  it('reads the W3C header first', () => {
    expect(readTrace(`00-${trace}-b7ad6b7169203331-01`, `${'1'.repeat(32)}/2;o=1`)).toEqual({ trace, span: 'b7ad6b7169203331' });
  });

  it('reads the header of Google, whose span is decimal', () => {
    expect(readTrace(undefined, `${trace.toUpperCase()}/255;o=1`)).toEqual({ trace, span: '00000000000000ff' });
  });

  it('takes nothing from garbage', () => {
    for (const text of ['', 'x', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`, `00-${trace}`]) expect(readTrace(text, text)).toBeUndefined();
  });
});
