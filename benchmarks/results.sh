#!/usr/bin/env bash
# Trains and scores all that docs/results.md tells of, below runs/results: what is there already is
# left as it is, so it can be stopped and started again. Then: make results
#   bash benchmarks/results.sh <camvid> [part ...]     parts: ablation camvid_128 camvid_cpu ...
set -euo pipefail
cd "$(dirname "$0")/.."
camvid=${1:?"the folder of CamVid"}
parts=("${@:2}")
runs=runs/results
PATH=$PWD/.venv/bin:$PATH

wanted() { [ ${#parts[@]} -eq 0 ] || [[ " ${parts[*]} " == *" $1 "* ]]; }
sweep() { python train.py -m hydra.sweep.dir="$runs/$1" logger=none data.root="$camvid" "${@:2}"; }

if wanted ablation; then # one change at a time, on the original study's budget
  change() { sweep ablation experiment=ablation "$@"; }
  change seed=0,1,2
  change loss=cross_entropy_dice,cross_entropy_lovasz,ohem,focal
  change loss.class_weights=median_frequency
  change augment=strong
  change callbacks=ema
  change optimizer=sgd schedule=poly
  change data.batch_size=4
  change encoder.lr_factor=0.1
  change decoder=unet_scse
  change 'data.size=[112,144]' # as many pixels, in the images' own proportions
fi
if wanted camvid_128; then
  sweep camvid_128 experiment=camvid_128 seed=0,1,2
fi
if wanted camvid_cpu; then # an hour on two cores
  sweep camvid_cpu experiment=camvid_cpu seed=0
  run=$(dirname "$runs"/camvid_cpu/*/metrics.json)
  score() { python evaluate.py run="$run" split=val data.root="$camvid" "$@"; }
  score flip=true
  score 'scales=[0.75,1,1.25]'
  score flip=true 'scales=[0.75,1,1.25]'
fi
if wanted encoders; then # the comparison the project is for: equal footing, no pretraining
  sweep encoders experiment=ablation callbacks=ema encoder.weights=none seed=0,1 \
    trainer.max_epochs=15,45 encoder=vgg16,resnet34,resnet50,efficientnet_lite0
  python compare.py sweep="$runs/encoders" output="$runs/encoders/compared"
fi
if wanted original; then # the protocol that the project began from
  for encoder in vgg16 resnet50; do
    sweep original experiment=original_$encoder encoder.weights=none
  done
fi
