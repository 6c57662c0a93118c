/* CPU kernels for the training step (one thread per process).
 * Tokens lie in one flat stream of whole conversations; attention is causal
 * inside each conversation, so no work is spent on padding or masks.
 * Built by model.py: gcc -Ofast -march=native -shared -fPIC kernels.c -lm */
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t bf16;
#define D 32
#define MAXL 4096
typedef float v16 __attribute__((vector_size(64), aligned(4)));

static inline float ld(bf16 x) { union { uint32_t u; float f; } c; c.u = (uint32_t)x << 16; return c.f; }
static inline bf16 st(float x) { union { uint32_t u; float f; } c; c.f = x; return (bf16)((c.u + 0x7fff + ((c.u >> 16) & 1)) >> 16); }

void to_bf16(const float *x, bf16 *y, long n) { for (long i = 0; i < n; i++) y[i] = st(x[i]); }
void to_f32(const bf16 *x, float *y, long n) { for (long i = 0; i < n; i++) y[i] = ld(x[i]); }
void add_to(const float *x, const bf16 *y, float *z, long n) { for (long i = 0; i < n; i++) z[i] = x[i] + ld(y[i]); }

void rms_fwd(const float *x, const float *w, bf16 *y, float *rstd, long n, long c, float eps) {
    for (long i = 0; i < n; i++) {
        const float *a = x + i * c; bf16 *b = y + i * c; float s = 0;
        for (long j = 0; j < c; j++) s += a[j] * a[j];
        float r = 1.0f / sqrtf(s / c + eps); rstd[i] = r;
        for (long j = 0; j < c; j++) b[j] = st(a[j] * r * w[j]);
    }
}
/* dx += ..., dw += ... */
void rms_bwd(const float *x, const float *w, const float *rstd, const bf16 *dy, float *dx, float *dw, long n, long c) {
    for (long i = 0; i < n; i++) {
        const float *a = x + i * c; const bf16 *g = dy + i * c; float *o = dx + i * c; float r = rstd[i], s = 0;
        for (long j = 0; j < c; j++) s += ld(g[j]) * w[j] * a[j];
        s *= r * r * r / c;
        for (long j = 0; j < c; j++) { float gg = ld(g[j]); o[j] += gg * w[j] * r - a[j] * s; dw[j] += gg * a[j] * r; }
    }
}
void rope(bf16 *qkv, const int32_t *pos, const float *cs, const float *sn, long n, long heads, long stride, float sign) {
    for (long i = 0; i < n; i++) {
        const float *c = cs + (long)pos[i] * (D / 2), *s = sn + (long)pos[i] * (D / 2);
        for (long h = 0; h < heads; h++) {
            bf16 *p = qkv + i * stride + h * D;
            for (int k = 0; k < D / 2; k++) {
                float a = ld(p[k]), b = ld(p[k + D / 2]), sk = s[k] * sign;
                p[k] = st(a * c[k] - b * sk); p[k + D / 2] = st(b * c[k] + a * sk);
            }
        }
    }
}
void swiglu_fwd(const bf16 *gu, bf16 *h, long n, long f) {
    for (long i = 0; i < n; i++) {
        const bf16 *g = gu + i * 2 * f, *u = g + f; bf16 *o = h + i * f;
        for (long j = 0; j < f; j++) { float a = ld(g[j]); o[j] = st(a / (1.0f + expf(-a)) * ld(u[j])); }
    }
}
void swiglu_bwd(const bf16 *gu, const bf16 *dh, bf16 *dgu, long n, long f) {
    for (long i = 0; i < n; i++) {
        const bf16 *g = gu + i * 2 * f, *u = g + f, *d = dh + i * f; bf16 *dg = dgu + i * 2 * f, *du = dg + f;
        for (long j = 0; j < f; j++) {
            float a = ld(g[j]), s = 1.0f / (1.0f + expf(-a)), x = ld(d[j]);
            du[j] = st(x * a * s); dg[j] = st(x * ld(u[j]) * s * (1.0f + a * (1.0f - s)));
        }
    }
}
/* weighted cross entropy; dl = w * scale * (softmax - onehot); returns sum of w * loss; ok[i] = argmax == target */
double xent(const float *lg, const int32_t *t, const float *w, bf16 *dl, uint8_t *ok, long n, long v, float scale) {
    double tot = 0;
    static float e[65536];
    for (long i = 0; i < n; i++) {
        const float *a = lg + i * v; bf16 *d = dl ? dl + i * v : 0;
        if (w[i] == 0.0f) { if (d) memset(d, 0, v * 2); if (ok) ok[i] = 1; continue; }
        float m = -1e30f, s = 0;
        for (long j = 0; j < v; j++) m = a[j] > m ? a[j] : m;
        if (ok) ok[i] = a[t[i]] >= m;
        for (long j = 0; j < v; j++) { e[j] = expf(a[j] - m); s += e[j]; }
        tot += w[i] * (logf(s) + m - a[t[i]]);
        if (d) {
            float k = w[i] * scale / s;
            for (long j = 0; j < v; j++) d[j] = st(e[j] * k);
            d[t[i]] = st(e[t[i]] * k - w[i] * scale);
        }
    }
    return tot;
}

/* K and V transposed in tiles of 16 columns: a plain transpose would put all rows of a column into one cache set. */
static float KT[MAXL / 16 + 1][D][16] __attribute__((aligned(64))), VT[MAXL / 16 + 1][D][16] __attribute__((aligned(64)));
static float K[MAXL][D] __attribute__((aligned(64))), V[MAXL][D] __attribute__((aligned(64)));
static float dK[MAXL][D] __attribute__((aligned(64))), dV[MAXL][D] __attribute__((aligned(64)));
static float S[4][MAXL + 32] __attribute__((aligned(64))), P[4][MAXL + 32] __attribute__((aligned(64)));

static void load_kv(const bf16 *qkv, long s, long L, long ko, long vo, long stride) {
    long Lp = (L + 31) & ~31L;
    for (long j = 0; j < L; j++) {
        const bf16 *k = qkv + (s + j) * stride + ko, *v = qkv + (s + j) * stride + vo;
        for (int d = 0; d < D; d++) { K[j][d] = ld(k[d]); V[j][d] = ld(v[d]); KT[j / 16][d][j % 16] = K[j][d]; VT[j / 16][d][j % 16] = V[j][d]; }
    }
    for (int d = 0; d < D; d++) for (long j = L; j < Lp; j++) KT[j / 16][d][j % 16] = VT[j / 16][d][j % 16] = 0;
}
/* out[r][j] = q[r] . col j of M, for j < 16 * nb */
static inline void rows_dot(float q[4][D], float M[][D][16], float out[4][MAXL + 32], long nb, float scale) {
    for (long jb = 0; jb < nb; jb += 2) {
        v16 a[4][2] = {{{0}}};
        for (int d = 0; d < D; d++) {
            v16 m0 = *(v16 *)M[jb][d], m1 = *(v16 *)M[jb + 1][d];
            for (int r = 0; r < 4; r++) { a[r][0] += q[r][d] * m0; a[r][1] += q[r][d] * m1; }
        }
        for (int r = 0; r < 4; r++) { *(v16 *)&out[r][jb * 16] = a[r][0] * scale; *(v16 *)&out[r][jb * 16 + 16] = a[r][1] * scale; }
    }
}
/* out[r] = sum_j p[r][j] * M[j] */
static inline void rows_mix(float p[4][MAXL + 32], float M[MAXL][D], float out[4][D], long n) {
    v16 a[4][2] = {{{0}}};
    for (long j = 0; j < n; j++) {
        v16 m0 = *(v16 *)&M[j][0], m1 = *(v16 *)&M[j][16];
        a[0][0] += p[0][j] * m0; a[0][1] += p[0][j] * m1; a[1][0] += p[1][j] * m0; a[1][1] += p[1][j] * m1;
        a[2][0] += p[2][j] * m0; a[2][1] += p[2][j] * m1; a[3][0] += p[3][j] * m0; a[3][1] += p[3][j] * m1;
    }
    for (int r = 0; r < 4; r++) { *(v16 *)&out[r][0] = a[r][0]; *(v16 *)&out[r][16] = a[r][1]; }
}

void attn_fwd(const bf16 *qkv, bf16 *o, float *lse, const int32_t *docs, long nd, long H, long KV) {
    long stride = (H + 2 * KV) * D, G = H / KV; float scale = 1.0f / sqrtf(D);
    for (long x = 0; x < nd; x++) {
        long s = docs[x], L = docs[x + 1] - s;
        for (long g = 0; g < KV; g++) {
            load_kv(qkv, s, L, (H + g) * D, (H + KV + g) * D, stride);
            for (long h = g * G; h < (g + 1) * G; h++)
                for (long i0 = 0; i0 < L; i0 += 4) {
                    long nr = L - i0 < 4 ? L - i0 : 4, jm = i0 + nr, nb = (jm + 15) / 16;
                    float q[4][D] = {{0}}, out[4][D], sum[4];
                    for (long r = 0; r < nr; r++) for (int d = 0; d < D; d++) q[r][d] = ld(qkv[(s + i0 + r) * stride + h * D + d]);
                    rows_dot(q, KT, S, nb, scale);
                    for (long r = 0; r < 4; r++) {
                        for (long j = i0 + r + 1; j < nb * 16; j++) S[r][j] = -1e30f;
                        float m = -1e30f, z = 0; float *a = S[r];
                        for (long j = 0; j < nb * 16; j++) m = a[j] > m ? a[j] : m;
                        for (long j = 0; j < nb * 16; j++) { float e = expf(a[j] - m); a[j] = e; z += e; }
                        sum[r] = 1.0f / z;
                        if (r < nr) lse[(s + i0 + r) * H + h] = m + logf(z);
                    }
                    rows_mix(S, V, out, jm);
                    for (long r = 0; r < nr; r++) for (int d = 0; d < D; d++) o[(s + i0 + r) * H * D + h * D + d] = st(out[r][d] * sum[r]);
                }
        }
    }
}

void attn_bwd(const bf16 *qkv, const bf16 *o, const bf16 *dout, const float *lse, bf16 *dqkv, const int32_t *docs, long nd, long H, long KV) {
    long stride = (H + 2 * KV) * D, G = H / KV; float scale = 1.0f / sqrtf(D);
    for (long x = 0; x < nd; x++) {
        long s = docs[x], L = docs[x + 1] - s;
        for (long g = 0; g < KV; g++) {
            load_kv(qkv, s, L, (H + g) * D, (H + KV + g) * D, stride);
            memset(dK, 0, L * D * 4); memset(dV, 0, L * D * 4);
            for (long h = g * G; h < (g + 1) * G; h++)
                for (long i0 = 0; i0 < L; i0 += 4) {
                    long nr = L - i0 < 4 ? L - i0 : 4, jm = i0 + nr, nb = (jm + 15) / 16;
                    float q[4][D] __attribute__((aligned(64))) = {{0}}, go[4][D] __attribute__((aligned(64))) = {{0}}, dq[4][D], del[4] = {0};
                    for (long r = 0; r < nr; r++) for (int d = 0; d < D; d++) {
                        q[r][d] = ld(qkv[(s + i0 + r) * stride + h * D + d]);
                        go[r][d] = ld(dout[(s + i0 + r) * H * D + h * D + d]);
                        del[r] += go[r][d] * ld(o[(s + i0 + r) * H * D + h * D + d]);
                    }
                    rows_dot(q, KT, S, nb, scale);
                    rows_dot(go, VT, P, nb, 1.0f);
                    for (long r = 0; r < 4; r++) {
                        float l = r < nr ? lse[(s + i0 + r) * H + h] : 1e30f, dl = del[r];
                        for (long j = i0 + r + 1; j < nb * 16; j++) S[r][j] = -1e30f;
                        float *a = S[r], *b = P[r];
                        for (long j = 0; j < nb * 16; j++) { float p = expf(a[j] - l); a[j] = p; b[j] = p * (b[j] - dl) * scale; }
                    }
                    v16 q0[4], q1[4], g0[4], g1[4];
                    for (int r = 0; r < 4; r++) { q0[r] = *(v16 *)&q[r][0]; q1[r] = *(v16 *)&q[r][16]; g0[r] = *(v16 *)&go[r][0]; g1[r] = *(v16 *)&go[r][16]; }
                    v16 dq0[4] = {{0}}, dq1[4] = {{0}};
                    for (long j = 0; j < jm; j++) {
                        v16 e0 = *(v16 *)&K[j][0], e1 = *(v16 *)&K[j][16];
                        v16 k0 = *(v16 *)&dK[j][0], k1 = *(v16 *)&dK[j][16], w0 = *(v16 *)&dV[j][0], w1 = *(v16 *)&dV[j][16];
                        for (int r = 0; r < 4; r++) {
                            float p = P[r][j], a = S[r][j];
                            k0 += p * q0[r]; k1 += p * q1[r]; w0 += a * g0[r]; w1 += a * g1[r];
                            dq0[r] += p * e0; dq1[r] += p * e1;
                        }
                        *(v16 *)&dK[j][0] = k0; *(v16 *)&dK[j][16] = k1; *(v16 *)&dV[j][0] = w0; *(v16 *)&dV[j][16] = w1;
                    }
                    for (int r = 0; r < 4; r++) { *(v16 *)&dq[r][0] = dq0[r]; *(v16 *)&dq[r][16] = dq1[r]; }
                    for (long r = 0; r < nr; r++) for (int d = 0; d < D; d++) dqkv[(s + i0 + r) * stride + h * D + d] = st(dq[r][d]);
                }
            for (long j = 0; j < L; j++) for (int d = 0; d < D; d++) {
                dqkv[(s + j) * stride + (H + g) * D + d] = st(dK[j][d]);
                dqkv[(s + j) * stride + (H + KV + g) * D + d] = st(dV[j][d]);
            }
        }
    }
}
