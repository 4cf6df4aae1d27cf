#!/usr/bin/env bash
# Trains and scores all that docs/results.md tells of, below runs/results. What is finished there is
# left as it is, so it can be stopped and started again. Afterwards: make results
#   bash benchmarks/results.sh <camvid> [part ...]
set -euo pipefail
parts="ablation camvid_128 camvid_cpu camvid_pretrained encoders streets original"
asked="camvid ship" # only when they are named: for a GPU; and the models that come with the project
[ $# -gt 0 ] || {
  echo "usage: $0 <folder of CamVid> [part ...], of: $parts $asked" >&2
  exit 2
}
[ -d "$1" ] || { echo "error: no folder $1" >&2; exit 2; }
camvid=$(cd "$1" && pwd)
chosen=${*:2}
for part in $chosen; do
  [[ " $parts $asked " == *" $part "* ]] || { echo "no part $part in: $parts $asked" >&2; exit 2; }
done
chosen=${chosen:-$parts}
cd "$(dirname "$0")/.."
PATH=$PWD/.venv/bin:$PATH
runs=runs/results

wanted() { [[ " $chosen " == *" $1 "* ]]; }
sweep() { python train.py -m hydra.sweep.dir="$runs/$1" logger=none "data.root='$camvid'" "${@:2}"; }
score() { # a part and how: every run of it on val, if that was not done yet
  local run name=$2
  for run in "$runs/$1"/*/; do
    [ ! -f "$run/metrics.json" ] || [ -f "$run/evaluation/$name/metrics.json" ] ||
      python evaluate.py run="$run" split=val "data.root='$camvid'" "${@:3}"
  done
}
run_of() { # a part: where its only run is
  local found=("$PWD/$runs/$1"/*/metrics.json)
  [ ${#found[@]} = 1 ] && [ -f "${found[0]}" ] || {
    echo "error: $runs/$1 has to hold one finished run. Train it first: $0 <camvid> $1" >&2
    exit 1
  }
  dirname "${found[0]}"
}
views() { # a part: its runs on val with more views of each image
  score "$1" val_flip flip=true
  score "$1" val_scales0.75-1-1.25 'scales=[0.75,1,1.25]'
  score "$1" val_flip_scales0.75-1-1.25 flip=true 'scales=[0.75,1,1.25]'
}
ship() { # a part and a name: the model of its run, to come with the project
  local run
  run=$(run_of "$1")
  python publish.py run="'$run'" output="segmentation/models/shipped/$2" \
    "licence='For research: trained on CamVid, whose images and labels are for research use, from ImageNet weights. The code of this project is MIT.'" \
    "limits=['Trained on 367 frames of three drives around Cambridge, one of them at dusk, from one camera behind a windscreen, 360x480. Other cameras, countries, weather and night are unseen.', 'Thin and small things are its weakness: poles, signs, pedestrians far away.', 'Not for deciding anything on a road.']"
}
val() { # CamVid with its test split: a training ends with that, and its val score is made here
  [ ! -d "$camvid/test" ] || score "$1" val
}

if wanted ablation; then # one change at a time, on the original study's budget; then what gained
  change() { sweep ablation experiment=ablation "$@"; }
  change seed=0,1,2
  change loss=cross_entropy_dice,cross_entropy_lovasz,ohem,focal
  change loss.class_weights=median_frequency
  change augment=strong
  change callbacks=ema,mean_of_last
  change optimizer=sgd schedule=poly
  change data.batch_size=4
  change encoder.lr_factor=0.1
  change decoder=unet_scse,unet_small
  change 'data.size=[112,144]' # as many pixels, in the images' own proportions
  change loss=cross_entropy_lovasz data.batch_size=4 callbacks=ema seed=0
  change loss=cross_entropy_dice data.batch_size=4 seed=0,1,2
  val ablation
fi
if wanted camvid_128; then
  sweep camvid_128 experiment=camvid_128 seed=0,1,2
  val camvid_128
fi
if wanted camvid_cpu; then # an hour on two cores
  sweep camvid_cpu experiment=camvid_cpu seed=0
  val camvid_cpu
  views camvid_cpu
fi
if wanted camvid_pretrained; then # three quarters of an hour more
  sweep camvid_pretrained experiment=camvid_pretrained seed=0
  val camvid_pretrained
  views camvid_pretrained
fi
if wanted encoders; then # the comparison the project is for: equal footing, no pretraining
  four=vgg16,resnet34,resnet50,efficientnet_lite0
  fair() { sweep encoders experiment=ablation callbacks=ema encoder.weights=none "$@"; }
  fair seed=0,1 encoder=$four
  fair seed=0 trainer.max_epochs=30 encoder=$four
  val encoders
  python compare.py sweep="$runs/encoders" split=val output="$runs/encoders/compared"
fi
if wanted camvid; then
  sweep camvid experiment=camvid seed=0
  val camvid
fi
if wanted streets; then # generated streets first, CamVid after
  streets=$runs/streets_first/streets
  [ -f "$streets/metrics.json" ] ||
    python train.py experiment=camvid_128 data=streets data.crop=auto logger=none \
      hydra.run.dir="$streets"
  sweep streets_first experiment=camvid_128 model.weights="$PWD/$streets" encoder.weights=auto seed=0
  val streets_first
fi
if wanted original; then # the protocol that the project began from
  for encoder in vgg16 resnet50; do
    sweep original experiment=original_$encoder encoder.weights=none seed=0
  done
  val original
fi
if wanted ship; then
  ship camvid_cpu camvid_efficientnet_lite0
  ship camvid_pretrained camvid_efficientnet_lite0_long
fi
