// rp-1: the integer path tracer that proves what a device can render.
// i32 and u32 with wrapping + − ×, constant shifts, divisors ≥ 1 or ≤ −17; no floats.
// Positions Q10, directions Q14, colours Q8. docs/spec/rp-1.md says the same in words.

struct Frame {
  seed_low: vec4<u32>,
  seed_high: vec4<u32>,
  size: vec4<u32>,                  // width, height, samples per pixel, first tile
  spheres: array<vec4<i32>, 32>,    // two each: centre and radius, colour and kind
};
@group(0) @binding(0) var<uniform> frame: Frame;
@group(0) @binding(1) var<storage, read_write> words: array<vec2<u32>>; // tile after tile

fn pcg(v: u32) -> u32 {
  let s = v * 747796405u + 2891336453u;
  let w = ((s >> ((s >> 28u) + 4u)) ^ s) * 277803737u;
  return (w >> 22u) ^ w;
}

fn isqrt(x: u32) -> u32 {
  var v = x;
  var r = 0u;
  var b = 1u << 30u;
  for (var i = 0u; i < 16u; i = i + 1u) {
    let q = r + b;
    r = r >> 1u;
    if (v >= q) {
      v = v - q;
      r = r + b;
    }
    b = b >> 2u;
  }
  return r;
}

fn dot3(a: vec3<i32>, b: vec3<i32>) -> i32 {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}

fn norm(v: vec3<i32>) -> vec3<i32> {
  let s = dot3(v, v);
  if (s < 4096) {
    return vec3<i32>(0, 16384, 0);
  }
  let l = i32(isqrt(u32(s)));
  return vec3<i32>(v.x * 16384 / l, v.y * 16384 / l, v.z * 16384 / l);
}

@compute @workgroup_size(8, 8, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
  let width = frame.size.x;
  let spp = frame.size.z;
  let columns = width / 16u;
  let tile = frame.size.w + group.x / 4u;
  let quarter = group.x % 4u;
  let tx = (quarter % 2u) * 8u + local.x;
  let ty = (quarter / 2u) * 8u + local.y;
  let x = (tile % columns) * 16u + tx;
  let y = (tile / columns) * 16u + ty;
  if (y >= frame.size.y) {
    return;
  }
  var base = pcg(frame.seed_low.x ^ (x + y * 65536u));
  base = pcg(base ^ frame.seed_low.y);
  base = pcg(base ^ frame.seed_low.z);
  base = pcg(base ^ frame.seed_low.w);
  var fold = pcg(base ^ frame.seed_high.x);
  let top = 8192 * i32(frame.size.y) / i32(width);
  var sum = vec3<u32>(0u, 0u, 0u);
  for (var s = 0u; s < spp; s = s + 1u) {
    var rng = pcg(base + s * 2654435769u);
    let jx = i32(rng >> 24u);
    let jy = i32((rng >> 16u) & 255u);
    var d = norm(vec3<i32>(
      (i32(x) * 256 + jx) * 64 / i32(width) - 8192,
      top - (i32(y) * 256 + jy) * 64 / i32(width),
      12000));
    var o = vec3<i32>(0, 1024, -10240);
    var light = vec3<i32>(256, 256, 256);
    for (var piece = 0u; piece < 4u; piece = piece + 1u) {
      var best = 32767;
      var id = 31;
      if (d.y < -16) {
        let t = (-2048 - o.y) * 16384 / d.y;
        if (t > 8 && t < best) {
          let hx = o.x + ((d.x * t) >> 14u);
          let hz = o.z + ((d.z * t) >> 14u);
          if (hx > -12288 && hx < 12288 && hz > -12288 && hz < 12288) {
            best = t;
            id = 16;
          }
        }
      }
      for (var i = 0; i < 16; i = i + 1) {
        let q = frame.spheres[i * 2];
        let oc = o - q.xyz;
        let b = dot3(oc, d) >> 14u;
        let disc = b * b - (dot3(oc, oc) - q.w * q.w);
        if (b < 0 && disc > 0) {
          let t = -b - i32(isqrt(u32(disc)));
          if (t > 8 && t < best) {
            best = t;
            id = i;
          }
        }
      }
      fold = pcg(fold ^ (u32(best) + u32(id) * 65536u));
      if (id == 31) {
        let k = 160 + (d.y >> 8u);
        sum = sum + vec3<u32>(u32((light.x * k) >> 8u), u32((light.y * k) >> 8u), u32((light.z * 220) >> 8u));
        break;
      }
      o = vec3<i32>(
        min(max(o.x + ((d.x * best) >> 14u), -12288), 12287),
        min(max(o.y + ((d.y * best) >> 14u), -2048), 8191),
        min(max(o.z + ((d.z * best) >> 14u), -12288), 12287));
      var n = vec3<i32>(0, 16384, 0);
      var m = vec4<i32>(200, 200, 200, 0);
      if (id == 16) {
        if ((((o.x >> 10u) ^ (o.z >> 10u)) & 1) != 0) {
          m = vec4<i32>(60, 60, 70, 0);
        }
      } else {
        n = norm(o - frame.spheres[id * 2].xyz);
        m = frame.spheres[id * 2 + 1];
      }
      if (m.w == 2) {
        sum = sum + vec3<u32>(u32((light.x * m.x) >> 6u), u32((light.y * m.y) >> 6u), u32((light.z * m.z) >> 6u));
        break;
      }
      light = vec3<i32>((light.x * m.x) >> 8u, (light.y * m.y) >> 8u, (light.z * m.z) >> 8u);
      if (m.w == 1) {
        let k = 2 * (dot3(d, n) >> 14u);
        d = norm(vec3<i32>(d.x - ((k * n.x) >> 14u), d.y - ((k * n.y) >> 14u), d.z - ((k * n.z) >> 14u)));
      } else {
        let r1 = pcg(rng);
        rng = pcg(r1);
        d = norm(vec3<i32>(
          n.x + i32(r1 >> 18u) - 8192,
          n.y + i32((r1 >> 4u) & 16383u) - 8192,
          n.z + i32(rng >> 18u) - 8192));
      }
    }
  }
  let c = vec3<u32>(min(sum.x / spp, 255u), min(sum.y / spp, 255u), min(sum.z / spp, 255u));
  words[tile * 256u + ty * 16u + tx] = vec2<u32>(
    c.x + c.y * 256u + c.z * 65536u + ((sum.x ^ sum.y ^ sum.z) << 24u), fold);
}
